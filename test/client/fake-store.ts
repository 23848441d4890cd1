import { decodeCommand } from '../../src/wire/command.ts'
import type { ErrorDetail } from '../../src/wire/error-detail.ts'
import type { ClientRequest, ServerResponseBody } from '../../src/wire/frames.ts'
import type { Command, CommandResult, KeyEntry } from '../../src/wire/types.ts'

/** What all nodes of the fake cluster apply to: keys, sessions, and how often each write was applied. */
export class FakeStore {
  revision = 0
  readonly entries = new Map<string, KeyEntry>()
  readonly sessions = new Map<number, Map<number, CommandResult>>()
  /** `session/sequence` of each command that was applied. */
  readonly applied: string[] = []
  #lastSession = 100

  run(request: ClientRequest): ServerResponseBody {
    const { body } = request
    switch (body.type) {
      case 'openSession': {
        this.sessions.set(++this.#lastSession, new Map())
        return result({ session: this.#lastSession })
      }
      case 'closeSession':
        this.sessions.delete(body.session)
        return result({})
      case 'read':
        return {
          type: 'read',
          revision: this.revision,
          entries: body.keys.map((key) => this.entries.get(Buffer.from(key).toString('latin1'))),
        }
      case 'command':
        return this.#apply(decodeCommand(body.command))
    }
  }

  #apply({ session, sequence, firstUnacked, operation }: Command): ServerResponseBody {
    const answers = this.sessions.get(session)
    if (answers === undefined) return error('SESSION_EXPIRED', { notExecuted: true })
    for (const answered of answers.keys()) if (answered < firstUnacked) answers.delete(answered)
    const before = answers.get(sequence)
    if (before !== undefined) return { type: 'result', result: before }
    this.applied.push(`${session}/${sequence}`)
    this.revision++
    if (operation.type === 'put') {
      const key = Buffer.from(operation.key).toString('latin1')
      const old = this.entries.get(key)
      this.entries.set(key, {
        key: operation.key,
        value: operation.value,
        createRevision: old?.createRevision ?? this.revision,
        modRevision: this.revision,
        version: (old?.version ?? 0) + 1,
        lease: 0,
      })
    }
    const answer = result({ revision: this.revision, succeeded: true })
    answers.set(sequence, answer.result)
    return answer
  }
}

export function result(part: Partial<CommandResult>): { type: 'result'; result: CommandResult } {
  return {
    type: 'result',
    result: { revision: 0, succeeded: false, current: undefined, session: 0, ...part },
  }
}

export function error(
  code: ErrorDetail['code'],
  part: Partial<ErrorDetail> = {},
): { type: 'error'; error: ErrorDetail } {
  return {
    type: 'error',
    error: { code, message: `fake ${code}`, notExecuted: false, leader: undefined, ...part },
  }
}
