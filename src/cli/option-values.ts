import { InvalidArgumentError } from 'commander'

const MAX_DAYS = 36_500

/** Of `--days`: whole, from 1 to a hundred years. */
export function parseDays(text: string): number {
  const days = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0
  if (days >= 1 && days <= MAX_DAYS) return days
  throw new InvalidArgumentError(`Give a whole number of days from 1 to ${MAX_DAYS}.`)
}

/** For options that may be given several times: one more. */
export function collect(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text]
}

/** Of an option that takes some of `choices`, separated by commas. */
export function parseList<Choice extends string>(choices: readonly Choice[]): (text: string) => readonly Choice[] {
  return (text) => {
    const parts = text.split(',').map((part) => part.trim())
    const known = choices.filter((choice) => parts.includes(choice))
    if (parts.every((part) => choices.some((choice) => choice === part))) return known
    throw new InvalidArgumentError(`Give one or more of ${choices.join(', ')}, separated by commas.`)
  }
}

/** Of an option that takes one of `choices`. */
export function parseChoice<Choice extends string>(choices: readonly Choice[]): (text: string) => Choice {
  return (text) => {
    const found = choices.find((choice) => choice === text)
    if (found !== undefined) return found
    throw new InvalidArgumentError(`Give one of ${choices.join(', ')}.`)
  }
}

/** The default stays out of sight of commander, so that an empty folder is refused like any other wrong value. */
export function parseFolder(text: string): string {
  if (text.trim() !== '') return text
  throw new InvalidArgumentError('Give the path of a folder.')
}
