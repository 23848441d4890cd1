import { simulation, tests } from '../mutant.ts'
import type { Mutant } from '../mutant.ts'

/** Mistakes between the core and the user: driver, services, client library. */
export const SERVING: readonly Mutant[] = [
  {
    name: 'leader-reads-its-own-state',
    mistake:
      'The driver serves linearizable reads at once while the node believes that it leads (Jepsen: etcd and Consul, 2014)',
    edits: [
      {
        file: 'src/server/driver.ts',
        find: `      this.#reads.add(call)\n      this.#wake()\n`,
        replace: `      this.readApplied(call)\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'proposal-sent-again-on-regained-leadership',
    mistake:
      'What waits when leadership is lost is proposed again when it is regained, although it may be in the log',
    edits: [
      {
        file: 'src/server/proposals.ts',
        find: `    for (const call of inLog) call.fail(unknown)\n`,
        replace: `    for (const call of inLog) if (unknown.notExecuted) call.fail(unknown)\n    this.#queued = inLog\n`,
      },
    ],
    caughtBy: tests('server/proposals'),
  },
  {
    name: 'lost-leadership-reported-as-failure',
    mistake: 'A write that stands in the log of a deposed leader is reported as not executed',
    edits: [
      {
        file: 'src/server/proposals.ts',
        find: `    for (const call of inLog) call.fail(unknown)\n`,
        replace: `    for (const call of inLog) call.fail({ ...unknown, notExecuted: true })\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'timeout-reported-as-failure',
    mistake: 'A write whose time is over is reported as failed, though it may happen yet',
    edits: [
      {
        file: 'src/client/call.ts',
        find: `    if (this.outcomeUnknown) {\n      return new OutcomeUnknownError(\n        \`no answer`,
        replace: `    if (this.outcomeUnknown && this.timeoutMs < 0) {\n      return new OutcomeUnknownError(\n        \`no answer`,
      },
    ],
    caughtBy: tests('client/outcomes'),
  },
  {
    name: 'unknown-outcome-forgotten',
    mistake: 'The definite refusal of a retry hides that an earlier try may have been executed',
    edits: [
      {
        file: 'src/client/call.ts',
        find: `    if (this.body.type === 'write' && !detail.notExecuted) this.unknown = true\n`,
        replace: `    if (this.body.type === 'write') this.unknown = !detail.notExecuted\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'lost-connection-reported-as-failure',
    mistake: 'A connection that breaks counts as if the request had never arrived',
    edits: [
      {
        file: 'src/client/call.ts',
        find: `    if (this.body.type === 'write') this.unknown = true\n`,
        replace: ``,
      },
    ],
    caughtBy: tests('client/outcomes'),
  },
  {
    name: 'retry-under-a-new-sequence',
    mistake: 'A retry after a change of leader is numbered anew: nobody can tell that it is one (§6.3)',
    edits: [
      {
        file: 'src/client/dispatcher.ts',
        find: `      if (call.session !== session.id) {\n        if (call.unknown) {\n`,
        replace: `      if (call.session !== session.id || call.unknown) {\n        if (call.unknown && call.session !== session.id) {\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'write-moved-to-new-session',
    mistake:
      'A write that may have been applied under an expired session is sent again under a new one (§6.3)',
    edits: [
      {
        file: 'src/client/dispatcher.ts',
        find: `    if (call.unknown) {\n      this.#end(call, call.sessionExpiredError())\n      return\n    }\n    call.session = 0\n`,
        replace: `    call.unknown = false\n    call.session = 0\n`,
      },
    ],
    caughtBy: simulation(3),
  },
  {
    name: 'acknowledges-answers-not-received',
    mistake: 'The client acknowledges every answer below its newest one, those on their way included (§6.3)',
    edits: [
      {
        file: 'src/client/session.ts',
        find: `    while (this.#firstUnacked < this.#next && this.#awaited[this.#firstUnacked % Session.WINDOW] === 0) {`,
        replace: `    while (this.#firstUnacked < sequence) {`,
      },
    ],
    caughtBy: tests('client/session'),
  },
  {
    name: 'proxy-loop',
    mistake: 'A follower passes on what was passed on to it: two nodes that name each other never answer',
    edits: [
      {
        file: 'src/server/kv-service.ts',
        find: `    if (detail.code === 'NOT_LEADER' && leader !== undefined && !this.#call.forwarded) {`,
        replace: `    if (detail.code === 'NOT_LEADER' && leader !== undefined && (leader !== '' || !this.#call.forwarded)) {`,
      },
    ],
    caughtBy: tests('server/forwarding'),
  },
  {
    name: 'forwarding-failure-reported-as-failure',
    mistake: 'A follower that gets no answer from the leader says that nothing was executed',
    edits: [
      {
        file: 'src/server/forwarder.ts',
        find: `    notExecuted: false,\n`,
        replace: `    notExecuted: true,\n`,
      },
    ],
    caughtBy: tests('server/forwarding'),
  },
  {
    name: 'sleeping-leader-expires-sessions',
    mistake:
      'A leader that slept for long stamps all of it at once: every session expires (steps are capped)',
    edits: [
      {
        file: 'src/server/cluster-time.ts',
        find: `Math.min(passed, MAX_STAMP_STEP_MS)`,
        replace: `Math.max(passed, Math.min(passed, MAX_STAMP_STEP_MS))`,
      },
    ],
    caughtBy: tests('server/cluster-time'),
  },
  {
    name: 'wiped-node-accepted',
    mistake: 'A node that lost its disk goes on under its old name, its votes and acknowledgements forgotten',
    edits: [
      {
        file: 'src/server/peers.ts',
        find: `    if (known === incarnation) return undefined\n`,
        replace: `    if (known >= 0 && incarnation >= 0) return undefined\n`,
      },
    ],
    caughtBy: tests('server/peers'),
  },
  {
    name: 'applies-ahead-of-its-disk',
    mistake: 'A node whose checkpoints are slow applies on, and keeps all of it in memory',
    edits: [
      {
        file: 'src/server/driver.ts',
        find: `this.#stateTooFarAhead() ? undefined : this.#applying.turn()`,
        replace: `this.#applying.turn()`,
      },
    ],
    caughtBy: tests('server/driver'),
  },
  {
    name: 'old-entries-applied-over-a-snapshot',
    mistake: 'What was handed out before a snapshot came is applied after it, to a state that has it already',
    edits: [{ file: 'src/server/driver.ts', find: `    this.#applying.drop()\n`, replace: '' }],
    caughtBy: tests('server/applying'),
  },
  {
    name: 'unread-answers-without-bound',
    mistake: 'Answers are kept for a client that reads none of them, as many as it asks for',
    edits: [
      {
        file: 'src/server/unsent-answers.ts',
        find: `    return this.#bytes > MAX_UNREAD_BYTES\n`,
        replace: `    return this.#bytes > 100 * MAX_UNREAD_BYTES\n`,
      },
    ],
    caughtBy: tests('server/unsent-answers'),
  },
]
