import { rule } from './rule.ts'
import { rulesOfLeadersCommit, rulesOfMessage } from './rules-of-messages.ts'
import type { Rule, Step } from './rule.ts'

const APPLY =
  'While commitIndex > lastApplied: the next entries go to the state machine, in the order of the log.'
const ANSWER = 'Only after this does the leader answer their clients.'

/** The rules that a step followed, the most general first. */
export function rulesOf(step: Step): Rule[] {
  const { input, output } = step
  const rules = rulesOfInput(step)
  if (output.reads.length > 0) {
    rules.push(
      rule(
        '§6.4',
        'A majority still follows, and what was committed when the read came is applied: it is served, without an entry in the log.',
      ),
    )
  }
  if (output.refusedReads.length > 0) {
    const who =
      input.type === 'readIndex'
        ? 'Only a leader can know what is committed'
        : 'Who no longer leads no longer knows what is committed'
    rules.push(rule('§6.4', `${who}: the read is refused, and its client told to ask elsewhere.`))
  }
  if (output.fetches.length > 0)
    rules.push(rule('§5', 'Old entries are no longer in memory: they are read from disk.'))
  if (output.snapshots.length > 0)
    rules.push(rule('§5', 'What the follower lacks is no longer in the log: it is sent a snapshot.'))
  return rules
}

function rulesOfInput(step: Step): Rule[] {
  const { input } = step
  switch (input.type) {
    case 'tick':
      return rulesOfTick(step)
    case 'message':
      return rulesOfMessage(step, input.message)
    case 'linkLost':
      return [
        rule(
          '§3.4',
          'The link to the leader broke: the election time-out is not sat out, and the voters campaign by turns.',
        ),
      ]
    case 'propose':
      return step.output.proposed === undefined
        ? [
            rule(
              '§6.2',
              'Only the leader appends what clients want: others refuse, and name the leader they know.',
            ),
          ]
        : [
            rule(
              '§3.5',
              'The leader appends the command to its own log and sends it to the others. Nothing is committed yet.',
            ),
            rule('§10.2.1', 'It writes to its own disk at the same time.'),
          ]
    case 'readIndex':
      return rulesOfRead(step)
    case 'persisted':
      return rulesOfPersisted(step)
    case 'applied':
      return [rule('§3.5', `${APPLY} ${step.after.role === 'leader' ? ANSWER : ''}`.trimEnd())]
    case 'snapshotReceived':
    case 'compact':
    case 'snapshotSent':
      return [
        rule('§5', 'A snapshot of the state stands for all entries up to it, and the log begins behind it.'),
      ]
    case 'fetched':
      return []
  }
}

function rulesOfTick({ before, output, after }: Step): Rule[] {
  if (output.status !== undefined && before?.role === 'leader' && after.role === 'follower') {
    return [
      rule(
        '§6.2',
        'A leader that has heard of no majority for an election time-out steps down: it could commit nothing (CheckQuorum).',
      ),
    ]
  }
  if (after.role === 'preCandidate' && output.messages.length > 0) {
    return [
      rule('§3.4', 'An election time-out without a word from a leader: stand for election.'),
      rule(
        '§9.6',
        'But ask first whether a majority would vote for it; the term stays as it is meanwhile (PreVote).',
      ),
    ]
  }
  if (after.role === 'candidate') return [rule('§3.4', 'A majority of one: its own vote is enough.')]
  return output.messages.some(({ type }) => type === 'heartbeat')
    ? [
        rule(
          '§3.4',
          'The leader sends heartbeats, so that nobody else stands for election. They bring commitIndex along.',
        ),
      ]
    : []
}

function rulesOfRead({ after, output }: Step): Rule[] {
  if (after.role !== 'leader') return []
  const asks = output.messages.some(({ type }) => type === 'heartbeat')
  if (asks) {
    return [
      rule(
        '§6.4',
        `It notes commitIndex ${after.commitIndex} and asks a majority whether it still leads: a leader of the past would answer with the past.`,
      ),
    ]
  }
  if (output.reads.length > 0) return []
  return [
    rule(
      '§6.4',
      "The read waits: for the commit of the term's no-op, or for the round of heartbeats that is under way.",
    ),
  ]
}

function rulesOfPersisted(step: Step): Rule[] {
  const { before, after } = step
  if (before?.role === 'candidate' && after.role === 'leader') {
    return [
      rule(
        '§3.4',
        'Its own vote is on disk and is a majority: it leads, and begins its term with a no-op (§3.6.2).',
      ),
    ]
  }
  if (before?.role === 'candidate')
    return [rule('§3.8', 'Its term and its own vote are on disk: now it may ask for the votes of others.')]
  if (after.role !== 'leader') return [rule('§3.8', 'It is on disk: answers that waited for it leave now.')]
  return [rule('§10.2.1', "The leader's own disk counts like any other."), ...rulesOfLeadersCommit(step)]
}

const OF_COMMANDS: Readonly<Record<string, Rule>> = {
  crash: rule('§3.8', 'currentTerm, votedFor and the log survive a crash; all else is forgotten.'),
  restart: rule('§3.8', 'It begins as a follower, with what its disk has. commitIndex is learnt anew.'),
  hold: rule('§3.8', 'Its disk stands still: what it would promise waits.'),
  drop: rule(
    '§3.1',
    'The network may lose, repeat, delay and reorder messages; nothing that is safe depends on it.',
  ),
  isolate: rule(
    '§3.1',
    'Messages to it and from it are lost from now on. The others cannot tell that from a crash.',
  ),
  cut: rule('§3.1', 'Messages between these two are lost from now on.'),
}

/** The rule beside what the script itself does, rather than a server. */
export function rulesOfCommand(verb: string): Rule[] {
  const known = OF_COMMANDS[verb]
  return known === undefined ? [] : [known]
}
