import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { AppendInput, AppendOutput } from '../../../src/check/models/append.ts'
import type { RegisterInput, RegisterOutput } from '../../../src/check/models/register.ts'
import type { Operation } from '../../../src/check/types.ts'

const SHARED = process.env.BALSA_SHARED ?? fileURLToPath(new URL('../../../../shared', import.meta.url))
const FOLDER = join(SHARED, 'data', 'linearizability')

/** Why the tests on recorded histories cannot run, or false. */
export const absent: string | false = existsSync(FOLDER)
  ? false
  : `there are no recorded histories in ${FOLDER}: set BALSA_SHARED to the folder that has data/linearizability`

/** The names of the histories in a folder. */
export function recorded(folder: string, ending: string): string[] {
  return readdirSync(join(FOLDER, folder))
    .filter((name) => name.endsWith(ending))
    .sort()
}

export function readRecorded(folder: string, name: string): string {
  return readFileSync(join(FOLDER, folder, name), 'utf8')
}

const DONE = Object.freeze({})

/** A register's history as Jepsen logs it. */
export function parseJepsen(text: string): Operation<RegisterInput, RegisterOutput>[] {
  const number = (word: string): number | null => (word === 'nil' ? null : Number(word))
  const history: Operation<RegisterInput, RegisterOutput>[] = []
  const pending = new Map<number, { input: RegisterInput; call: number }>()
  text.split('\n').forEach((line, index) => {
    const match = /^INFO\s+jepsen\.util - (\d+)\s+:(\w+)\s+:(\w+)\s+(.*)$/.exec(line)
    if (!match) return
    const process = Number(match[1])
    const [, , type, op, value] = match as unknown as string[]
    const words = value!.replace(/[[\]]/g, '').trim().split(/\s+/)
    if (type === 'invoke') {
      const input: RegisterInput =
        op === 'read'
          ? { op }
          : op === 'write'
            ? { op, value: number(words[0]!) }
            : { op: 'cas', expected: number(words[0]!), value: number(words[1]!) }
      pending.set(process, { input, call: index })
      return
    }
    const { input, call } = pending.get(process)!
    pending.delete(process)
    if (type === 'fail' && input.op !== 'cas') return
    const output =
      type === 'info'
        ? undefined
        : input.op === 'read'
          ? { value: number(words[0]!) }
          : input.op === 'cas'
            ? { succeeded: type === 'ok' }
            : DONE
    history.push({
      process,
      key: 'register',
      input,
      output,
      call,
      return: type === 'info' ? Infinity : index,
    })
  })
  for (const [process, { input, call }] of pending) {
    history.push({ process, key: 'register', input, output: undefined, call, return: Infinity })
  }
  return history
}

/** A history of get, put and append, one EDN map a line. */
export function parseAppend(text: string): Operation<AppendInput, AppendOutput>[] {
  const history: Operation<AppendInput, AppendOutput>[] = []
  const pending = new Map<number, Omit<Operation<AppendInput, AppendOutput>, 'output' | 'return'>>()
  text.split('\n').forEach((line, index) => {
    const match = /:process (\d+), :type :(\w+), :f :(\w+), :key "(.*?)", :value (?:nil|"(.*)")}/.exec(line)
    if (!match) return
    const [, number, type, op, key, value = ''] = match as unknown as string[]
    const process = Number(number)
    if (type === 'invoke') {
      const input: AppendInput = op === 'get' ? { op } : { op: op as 'put' | 'append', value }
      pending.set(process, { process, key: key!, input, call: index })
    } else {
      history.push({ ...pending.get(process)!, output: op === 'get' ? { value } : DONE, return: index })
      pending.delete(process)
    }
  })
  for (const open of pending.values()) history.push({ ...open, output: undefined, return: Infinity })
  return history
}
