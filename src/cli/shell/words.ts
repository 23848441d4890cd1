import { UsageError } from '../failure.ts'

const ESCAPES: Readonly<Record<string, string>> = Object.freeze({ n: '\n', t: '\t', r: '\r', '0': '\0' })

/**
 * Splits a line into words as a shell does: spaces separate; single quotes keep everything as it is; in double
 * quotes `\n`, `\t`, `\r`, `\0`, `\"` and `\\` are understood; outside of quotes a backslash takes the next
 * character as it is. A word that begins with `#` begins a comment.
 * @throws UsageError where a quote is not closed or the line ends in a backslash
 */
export function splitWords(line: string): string[] {
  const words: string[] = []
  let word: string | undefined
  for (let at = 0; at < line.length; at++) {
    const char = line[at]!
    if (/\s/.test(char)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (char === '#' && word === undefined) {
      return words
    } else if (char === "'" || char === '"') {
      const quoted = readQuoted(line, at)
      word = (word ?? '') + quoted.text
      at = quoted.end
    } else if (char === '\\') {
      if (at + 1 >= line.length) throw new UsageError('the line ends in a backslash; write \\\\ for one')
      word = (word ?? '') + line[++at]!
    } else {
      word = (word ?? '') + char
    }
  }
  if (word !== undefined) words.push(word)
  return words
}

/** Reads from the quote at `start` to its partner; `end` is where that stands. */
function readQuoted(line: string, start: number): { text: string; end: number } {
  const quote = line[start]!
  let text = ''
  for (let at = start + 1; at < line.length; at++) {
    const char = line[at]!
    if (char === quote) return { text, end: at }
    if (char === '\\' && quote === '"' && at + 1 < line.length) {
      const next = line[++at]!
      text += ESCAPES[next] ?? next
    } else {
      text += char
    }
  }
  throw new UsageError(`the ${quote} in column ${start + 1} is not closed`)
}
