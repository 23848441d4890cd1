import { ANYTHING } from './kv-types.ts'
import type { KvEntry, KvExpectation, KvInput, KvOutput, KvState } from './kv-types.ts'

/** A key-value operation in a few words. A revision is written with an `@` before it. */
export function describeKv(input: KvInput, output: KvOutput | undefined): string {
  const answer = output === undefined ? ' → ?' : ''
  const at = output?.revision === undefined ? '' : ` → @${output.revision}`
  switch (input.op) {
    case 'get':
      return `get${answer || ` → ${showEntry(output?.entry ?? null)}${storeRevision(output)}`}`
    case 'put':
      return `put ${showValue(input.value)}${answer || at}`
    case 'delete':
      return `delete${answer || (output?.deleted === false ? ' → nothing there' : at)}`
    case 'cas': {
      const asked = `cas ${showExpected(input.expected)} to ${showValue(input.value)}`
      if (output?.succeeded !== false) return `${asked}${answer || at}`
      return `${asked} refused${output.current === undefined ? '' : `: ${showEntry(output.current)}`}`
    }
  }
}

/** What a key holds, after "then the key". */
export function describeKvState({ record }: KvState): string {
  if (!record) return 'is absent'
  if (record === ANYTHING) return 'may hold anything'
  const { exact, value } = record.modified
  return `holds ${showValue(record.value)}, last changed at revision ${exact ? value : `${value + 1} or later`}`
}

function storeRevision(output: KvOutput | undefined): string {
  const { revision, entry } = output ?? {}
  return revision === undefined || revision === entry?.modRevision ? '' : ` (store @${revision})`
}

function showExpected(expected: KvExpectation): string {
  if ('absent' in expected) return 'absent'
  return 'value' in expected ? showValue(expected.value) : `@${expected.modRevision}`
}

function showEntry(entry: KvEntry | null): string {
  if (entry === null) return 'nothing'
  return showValue(entry.value) + (entry.modRevision === undefined ? '' : ` @${entry.modRevision}`)
}

function showValue(value: string): string {
  return JSON.stringify(value)
}
