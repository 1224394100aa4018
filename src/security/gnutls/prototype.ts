/** A C pointer as koffi hands it out. It says nothing of whether what it points to still lives. */
export type Pointer = bigint

/** `gnutls_datum_t`: bytes and how many. */
export interface Datum {
  readonly data: Uint8Array | Pointer | null
  readonly size: number
}

/** `gnutls_typed_vdata_st`: something that a certificate is verified against. */
export interface TypedVerificationData {
  readonly type: number
  readonly data: Uint8Array | Pointer
  readonly size: number
}

/**
 * The TypeScript function behind a C prototype, such as `int gnutls_init(_Out_ void **session, unsigned int flags)`: what can be read from
 * the text. Out parameters are arrays of one element (`_Out_ T *`) or objects (`_Out_ gnutls_datum_t *`).
 */
export type CFunction<Prototype extends string> = (...args: CArguments<Prototype>) => CResult<Prototype>

/** Of a prototype that is only known at run time: anything that C takes. */
export type CArguments<Prototype extends string> = string extends Prototype
  ? readonly CValue[]
  : Prototype extends `${string}(${infer List})`
    ? CList<Trim<List>>
    : never

export type CResult<Prototype extends string> = string extends Prototype
  ? CValue | undefined
  : Trim<Prototype> extends `const char *${string}`
    ? string | null
    : Trim<Prototype> extends `${string} *gnutls_${string}` | `${string} * gnutls_${string}` | `${Handle} ${string}`
      ? Pointer | null
      : Trim<Prototype> extends `${Wide} ${string}`
        ? number | bigint
        : Trim<Prototype> extends `void ${string}`
          ? void
          : number

/** What may stand for a parameter. Bytes are handed over in place: C may keep no pointer to them. */
export type CValue =
  string | number | bigint | null | Uint8Array | CBox<Pointer | number> | Datum | readonly TypedVerificationData[]

/** Where C writes one value. */
export type CBox<T> = [T | null]

type Wide = 'size_t' | 'ssize_t' | 'intptr_t' | 'uintptr_t' | 'int64_t' | 'uint64_t'

type CList<List extends string> = List extends '' | 'void'
  ? []
  : List extends `${infer First},${infer Rest}`
    ? [CParameter<Trim<First>>, ...CList<Trim<Rest>>]
    : [CParameter<List>]

type CParameter<Text extends string> = Text extends `_Out_ ${string}**${string}`
  ? CBox<Pointer>
  : Text extends `_Out_ gnutls_datum_t *${string}`
    ? object
    : Text extends `_Out_ ${'void' | 'char' | 'uint8_t'} *${string}`
      ? Uint8Array
      : Text extends `${'_Out_' | '_Inout_'} ${'int' | 'unsigned int' | 'size_t'} *${string}`
        ? CBox<number>
        : Text extends `const gnutls_datum_t *${string}`
          ? Datum | readonly Datum[] | Pointer | null
          : Text extends `${string}gnutls_typed_vdata_st *${string}`
            ? readonly TypedVerificationData[]
            : Text extends `const char *${string}`
              ? string | Uint8Array | Pointer | null
              : Text extends `${string}*${string}` | `${Handle} ${string}`
                ? Uint8Array | Pointer | null
                : number | bigint

/** Types of GnuTLS that are pointers though they do not look so. */
type Handle =
  `gnutls_${'session' | 'priority' | 'dh_params' | 'x509_crt' | 'x509_crl' | 'pubkey' | 'privkey' | `${string}_credentials`}_t`

type Trim<Text extends string> = Text extends ` ${infer Rest}` ? Trim<Rest> : Text extends `${infer Rest} ` ? Trim<Rest> : Text
