import { rule } from './rule.ts'
import type { NodeView } from '../../src/raft/node.ts'
import type { LogIndex, Message, NodeId } from '../../src/raft/types.ts'
import type { Picture } from './picture.ts'
import type { Rule, Step } from './rule.ts'

/** Rules for all servers (Figure 3.1). */
function rulesOfTerm({ before, after }: Step, message: Message): Rule[] {
  if (before?.role === 'down' || before === undefined) return []
  if (message.term < before.term) {
    return [
      rule(
        '§3.3',
        'The message is of an older term: it changes nothing, and a request is answered with the current term.',
      ),
    ]
  }
  if (after.term <= before.term || after.role === 'candidate') return []
  const news = `The message is of term ${after.term}, higher than its own: it enters that term`
  return [rule('§3.3', before.role === 'follower' ? `${news}.` : `${news}, as a follower.`)]
}

/** The rules by which a message is received, those for all servers (Figure 3.1) first. */
export function rulesOfMessage(step: Step, message: Message): Rule[] {
  return [...rulesOfTerm(step, message), ...rulesOfType(step, message)]
}

function rulesOfType(step: Step, message: Message): Rule[] {
  if (step.before !== undefined && message.term < step.before.term) return []
  switch (message.type) {
    case 'preVote':
    case 'vote':
      return rulesOfRequestVote(step, message.type)
    case 'preVoteReply':
    case 'voteReply':
      return rulesOfVote(step, message.type, message.granted)
    case 'append':
      return rulesOfAppend(step, message)
    case 'appendReply':
      return rulesOfAppendReply(step, message.from, message.success)
    case 'heartbeat':
      return rulesOfHeartbeat(step)
    case 'heartbeatReply':
      return rulesOfHeartbeatReply(step, message.from)
  }
}

function rulesOfRequestVote({ output, before }: Step, type: 'preVote' | 'vote'): Rule[] {
  const replies = [...output.messages, ...output.messagesAfterWrite]
  const reply = replies.find((message) => message.type === 'preVoteReply' || message.type === 'voteReply')
  if (reply === undefined) {
    return [
      rule(
        '§4.2.3',
        'It has heard from a live leader within an election time-out: the request is ignored, whatever its term.',
      ),
    ]
  }
  const granted = 'granted' in reply && reply.granted
  if (type === 'preVote') {
    return granted
      ? [
          rule(
            '§9.6',
            'It hears no leader and the other log is at least as new: it would vote for it. It promises nothing by that.',
          ),
        ]
      : [rule('§9.6', 'It would not vote for it: its own log is newer, or its term as high (§3.6.1).')]
  }
  if (granted) {
    return [
      rule(
        '§3.4',
        'One vote a term, first come, first served; and only for a log at least as new as its own (§3.6.1).',
      ),
      rule('§3.8', 'The vote is on disk before the answer leaves.'),
    ]
  }
  // A vote given in an older term does not bind.
  const bound = before !== undefined && before.term === reply.term && before.votedFor !== undefined
  return bound
    ? [rule('§3.4', `It has voted for ${before.votedFor} in this term: one vote a term.`)]
    : [
        rule(
          '§3.6.1',
          'Its own log is newer (a later last term, or as late and longer): who lacks entries that may be committed gets no vote.',
        ),
      ]
}

function rulesOfVote({ before, after }: Step, type: 'preVoteReply' | 'voteReply', granted: boolean): Rule[] {
  if (before?.role === 'preCandidate' && after.role === 'candidate') {
    return [
      rule('§9.6', 'A majority would vote for it.'),
      rule(
        '§3.4',
        'So it enters a new term and votes for itself; it asks the others when that is on disk (§3.8).',
      ),
    ]
  }
  if (before?.role === 'candidate' && after.role === 'leader') {
    return [
      rule('§3.4', 'Votes of a majority: it leads. Another majority cannot exist, so a term has one leader.'),
      rule(
        '§3.6.2',
        'It begins with a no-op, because only an entry of its own term tells it what is committed.',
      ),
    ]
  }
  const asked = type === 'preVoteReply' ? 'preCandidate' : 'candidate'
  if (before?.role !== asked) return [rule('§3.3', 'An answer to a question that is settled: nothing to do.')]
  if (after.role === 'follower') return [rule('§3.4', 'A majority refuses: it is a follower again.')]
  return [rule('§3.4', `${granted ? 'A vote' : 'A refusal'} is counted; no majority yet.`)]
}

function rulesOfAppend(
  { before, output, after }: Step,
  message: Extract<Message, { type: 'append' }>,
): Rule[] {
  const rules: Rule[] = []
  if (before?.role === 'candidate' || before?.role === 'preCandidate') {
    rules.push(rule('§3.4', 'Somebody leads this term: a candidate follows it.'))
  }
  const { prevLogIndex, prevLogTerm } = message
  const refusal = output.messages.some((reply) => reply.type === 'appendReply' && !reply.success)
  if (refusal) {
    rules.push(
      rule(
        '§3.5',
        `It has no entry ${prevLogIndex} of term ${prevLogTerm}: it refuses, and says where the logs may agree.`,
      ),
    )
    return rules
  }
  const first = output.write?.entries[0]
  const replaces =
    first !== undefined && (before?.entries.some(({ index }) => index === first.index) ?? false)
  if (replaces) {
    rules.push(
      rule(
        '§3.5',
        `Its entry ${first.index} has another term than the leader's: it and all that follow are replaced. They were not committed.`,
      ),
    )
  } else if (first !== undefined) {
    rules.push(
      rule(
        '§3.5',
        prevLogIndex === 0
          ? 'No entry comes before these, so they fit anywhere: what is new is appended.'
          : `The entry before fits (${prevLogIndex}, term ${prevLogTerm}), so the logs agree up to there: what is new is appended.`,
      ),
    )
  } else {
    rules.push(rule('§3.5', 'It fits, and there is nothing new in it.'))
  }
  if (first !== undefined) rules.push(rule('§3.8', 'The answer waits until its disk has them.'))
  rules.push(...rulesOfFollowersCommit(before, after))
  return rules
}

function rulesOfHeartbeat({ before, after }: Step): Rule[] {
  const rules = [rule('§3.4', 'The leader lives: the election timer begins anew.')]
  if (before?.role === 'candidate' || before?.role === 'preCandidate') {
    rules.push(rule('§3.4', 'Somebody leads this term: a candidate follows it.'))
  }
  return [...rules, ...rulesOfFollowersCommit(before, after)]
}

function rulesOfFollowersCommit(before: Picture | undefined, after: NodeView): Rule[] {
  return after.commitIndex > (before?.commitIndex ?? 0)
    ? [
        rule(
          '§3.5',
          `leaderCommit says what is committed: commitIndex = min(leaderCommit, what it is known to hold) = ${after.commitIndex}.`,
        ),
      ]
    : []
}

function rulesOfAppendReply(step: Step, from: NodeId, success: boolean): Rule[] {
  const { before, after } = step
  if (before?.role !== 'leader' || after.role !== 'leader') return []
  const known = after.followers.find(({ id }) => id === from)
  if (!success) {
    return known?.state === 'probe'
      ? [
          rule(
            '§3.5',
            `The logs differ there: nextIndex of ${from} goes back to ${known.nextIndex}, past a whole term at once, and it tries again.`,
          ),
        ]
      : [rule('§3.5', 'An old refusal: it holds more than that by now.')]
  }
  const held = rule(
    '§3.5',
    `${from} has everything up to ${known?.matchIndex ?? 0} on disk: that is its matchIndex.`,
  )
  return [held, ...rulesOfLeadersCommit(step)]
}

/** What a leader finds committed, or not yet, when it looks anew (§3.6.2). */
export function rulesOfLeadersCommit({ before, after }: Step): Rule[] {
  const was = before?.commitIndex ?? 0
  if (after.commitIndex > was) {
    return [
      rule(
        '§3.6.2',
        `Entry ${after.commitIndex} is on a majority of disks and of the leader's own term: it is committed, and all before it.`,
      ),
    ]
  }
  const reached = majorityIndex(after)
  return reached > was
    ? [
        rule(
          '§3.6.2',
          `Entry ${reached} is on a majority of disks, but of an older term: it is not counted, for it may still be replaced (Figure 3.7).`,
        ),
      ]
    : []
}

/** What index a majority's disks have reached, the leader's own among them. */
function majorityIndex({ persistedIndex, followers }: NodeView): LogIndex {
  const held = [persistedIndex, ...followers.map(({ matchIndex }) => matchIndex)].sort((a, b) => b - a)
  return held[Math.floor(held.length / 2)] ?? 0
}

function rulesOfHeartbeatReply({ output }: Step, from: NodeId): Rule[] {
  return output.messages.some(({ type }) => type === 'append')
    ? [
        rule(
          '§3.5',
          `${from} is there and has not confirmed everything: the leader asks again, for messages may be lost.`,
        ),
      ]
    : [rule('§6.2', `${from} still follows.`)]
}
