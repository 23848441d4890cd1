import { isUtf8 } from 'node:buffer'
import { InvalidArgumentError, Option } from 'commander'
import type { Command } from 'commander'
import type { Entry } from '../client/entry.ts'
import type { CliContext } from './context.ts'
import { UsageError } from './failure.ts'

/** How keys and values are written on the command line and in what is printed. */
export type Notation = 'utf8' | 'hex' | 'base64'

/** Standard input may be as long as this; far more than any request. */
const LONGEST_INPUT = 256 * 1024 * 1024

/** Adds `--hex` and `--base64` to a command. */
export function addNotationOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--hex', 'keys and values are given and printed in hexadecimal').conflicts('base64'),
    )
    .addOption(new Option('--base64', 'keys and values are given and printed in base64'))
}

/** The notation that a command's options ask for. */
export function notationOf(options: { readonly hex?: boolean; readonly base64?: boolean }): Notation {
  return options.hex ? 'hex' : options.base64 ? 'base64' : 'utf8'
}

/**
 * The bytes that a word of the command line stands for.
 * @throws UsageError where it is not hexadecimal or base64 as promised
 */
export function decode(text: string, notation: Notation): Uint8Array {
  if (notation === 'utf8') return Buffer.from(text, 'utf8')
  const plain = text.replaceAll(/\s/g, '')
  const wellFormed =
    notation === 'hex'
      ? /^(?:[0-9A-Fa-f]{2})*$/.test(plain)
      : /^[A-Za-z0-9+/_-]*={0,2}$/.test(plain) && plain.replace(/=+$/, '').length % 4 !== 1
  if (!wellFormed) {
    const example = notation === 'hex' ? '68656c6c6f' : 'aGVsbG8='
    throw new UsageError(`"${text}" is not ${notation}; "hello" would be ${example}`)
  }
  return Buffer.from(plain, notation)
}

/**
 * Reads a revision of the store, such as the modRevision of an entry.
 * @throws InvalidArgumentError as commander wants it
 */
export function parseRevision(text: string): number {
  const revision = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(revision) || revision < 1) {
    throw new InvalidArgumentError('Give a revision: a whole number from 1.')
  }
  return revision
}

/** Bytes as text in a notation. */
export function encode(bytes: Uint8Array, notation: Notation): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(notation)
}

/** Bytes within a message: as text where they are text, else in hexadecimal. */
export function display(bytes: Uint8Array, notation: Notation): string {
  return notation === 'utf8' && !isUtf8(bytes) ? `0x${encode(bytes, 'hex')}` : encode(bytes, notation)
}

/** An entry as `--json` shows it: base64 where it is not UTF-8, or where base64 was asked for. */
export function jsonEntry(entry: Entry | undefined, notation: Notation) {
  if (!entry) return null
  const plain = notation !== 'base64' && isUtf8(entry.key) && isUtf8(entry.value)
  const encoding = plain ? 'utf8' : 'base64'
  const { createRevision, modRevision, version } = entry
  return {
    key: encode(entry.key, encoding),
    value: encode(entry.value, encoding),
    encoding,
    createRevision,
    modRevision,
    version,
  }
}

/**
 * The bytes of several values, of which at most one is `-`: what standard input holds, to its end and byte
 * by byte (in the notation, where one was asked for).
 * @throws UsageError
 */
export async function decodeValues(
  texts: readonly string[],
  notation: Notation,
  context: CliContext,
): Promise<Uint8Array[]> {
  if (texts.filter((text) => text === '-').length > 1) {
    throw new UsageError('only one value can be "-": standard input can be read once')
  }
  const values: Uint8Array[] = []
  for (const text of texts) {
    if (text !== '-') {
      values.push(decode(text, notation))
      continue
    }
    const input = await readAll(context.stdin)
    values.push(notation === 'utf8' ? input : decode(input.toString('latin1'), notation))
  }
  return values
}

async function readAll(input: CliContext['stdin']): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of input) {
    const bytes = Buffer.from(chunk as Uint8Array | string)
    length += bytes.length
    if (length > LONGEST_INPUT) throw new UsageError('standard input is longer than any value can be')
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}
