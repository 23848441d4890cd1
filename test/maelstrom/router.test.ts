import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MaelstromError } from '../../src/maelstrom/protocol.ts'
import type { Body } from '../../src/maelstrom/protocol.ts'
import { Router } from '../../src/maelstrom/router.ts'
import type { RoleStatus } from '../../src/raft/types.ts'
import type { WriteCall } from '../../src/server/calls.ts'
import { KvFront } from '../../src/server/kv-front.ts'
import type { ErrorDetail } from '../../src/wire/error-detail.ts'
import { ManualClock } from '../client/manual-clock.ts'

const LIMITS = { maxKeyBytes: 100, maxValueBytes: 100, maxRequestBytes: 1000 }
const WRITE: Body = { type: 'write', key: 'x', value: 1 }
const DONE = { type: 'write_ok' }

const SENT_BACK: ErrorDetail = {
  code: 'UNAVAILABLE',
  message: 'it does not lead',
  notExecuted: true,
  leader: undefined,
}

/** A router whose cluster is played by the test. */
class Stage {
  readonly clock = new ManualClock()
  readonly sent: [to: string, body: Body][] = []
  readonly answers: Body[] = []
  readonly writes: WriteCall[] = []
  readonly router: Router
  #status: RoleStatus = { role: 'follower', term: 1, leader: undefined }

  constructor() {
    const never = (): void => assert.fail('nobody reads here')
    const front = new KvFront(
      { write: (call) => void this.writes.push(call), read: never, readApplied: never },
      LIMITS,
      { begin: never },
    )
    this.router = new Router({
      ...{ self: 'n1', front, reads: 'index', clock: this.clock, patienceMs: 100 },
      status: () => this.#status,
      send: (to, body) => void this.sent.push([to, body]),
    })
  }

  leads(leader: string | undefined): void {
    const role = leader === 'n1' ? 'leader' : 'follower'
    this.#status = { role, term: this.#status.term + 1, leader }
    this.router.statusChanged()
  }

  ask(body: Body = WRITE): void {
    this.router.submit(body, (answer) => void this.answers.push(answer))
  }

  /** The last node that was asked says this. */
  reply(body: Body): void {
    const [to, request] = this.sent.at(-1)!
    this.router.replied(to, { ...body, in_reply_to: request.msg_id! })
  }

  get receivers(): readonly string[] {
    return this.sent.map(([to]) => to)
  }
}

describe('the router', () => {
  it('asks the leader, and passes its answer on', () => {
    const stage = new Stage()
    stage.leads('n2')
    stage.ask({ ...WRITE, msg_id: 7 })
    assert.deepEqual(stage.receivers, ['n2'])
    assert.deepEqual(stage.sent[0]![1].request, { ...WRITE, msg_id: 7 })
    stage.reply({ type: 'forward_ok', answer: DONE })
    stage.reply({ type: 'forward_ok', answer: DONE })
    assert.deepEqual(stage.answers, [DONE])
  })

  it('ignores the answers of others', () => {
    const stage = new Stage()
    stage.leads('n2')
    stage.ask()
    stage.router.replied('n3', { type: 'forward_ok', in_reply_to: 1, answer: DONE })
    assert.deepEqual(stage.answers, [])
  })

  it('keeps what comes without a leader for the next one', async () => {
    const stage = new Stage()
    stage.ask()
    await stage.clock.advance(50)
    stage.leads('n3')
    assert.deepEqual(stage.receivers, ['n3'])
    await stage.clock.advance(100)
    assert.deepEqual(stage.answers, [])
  })

  it('asks the next leader where the last one sent it back', () => {
    const stage = new Stage()
    stage.leads('n2')
    stage.ask()
    stage.reply({ type: 'forward_refused' })
    stage.leads('n3')
    assert.deepEqual(stage.receivers, ['n2', 'n3'])
    stage.reply({ type: 'forward_refused' })
    stage.leads('n1')
    stage.writes[0]!.succeed({ revision: 1, succeeded: true, current: undefined, session: 0 })
    assert.deepEqual(stage.answers, [DONE])
  })

  it('gives up with 11 where nobody takes it', async () => {
    const stage = new Stage()
    stage.ask()
    for (let change = 0; change < 10; change++) {
      stage.leads(change % 2 === 0 ? 'n2' : 'n3')
      if (stage.answers.length === 0) stage.reply({ type: 'forward_refused' })
    }
    assert.equal(stage.answers[0]!.code, MaelstromError.TemporarilyUnavailable)
    assert.ok(stage.sent.length < 10)
    stage.leads(undefined)
    stage.ask()
    await stage.clock.advance(100)
    assert.equal(stage.answers[1]!.code, MaelstromError.TemporarilyUnavailable)
  })

  it('does not repeat a write whose leader did not say that it was not executed', async () => {
    const stage = new Stage()
    stage.leads('n2')
    stage.ask()
    stage.leads('n3')
    await stage.clock.advance(10_000)
    assert.deepEqual(stage.receivers, ['n2'])
    assert.equal(stage.answers[0]!.code, MaelstromError.Timeout)
    stage.leads('n1')
    stage.ask()
    stage.writes[0]!.fail({ ...SENT_BACK, notExecuted: false })
    assert.equal(stage.answers[1]!.code, MaelstromError.Crash)
    assert.equal(stage.writes.length, 1)
  })

  it('sends back what others ask of it while it does not lead', () => {
    const stage = new Stage()
    stage.router.serve({ type: 'forward', request: WRITE }, (answer) => void stage.answers.push(answer))
    stage.writes[0]!.fail({ ...SENT_BACK, code: 'NOT_LEADER' })
    assert.deepEqual(stage.answers, [{ type: 'forward_refused' }])
    assert.deepEqual(stage.sent, [], 'one hop')
  })
})
