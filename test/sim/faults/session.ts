import { encodeSessionChange } from '../../../src/wire/command.ts'
import type { Fault } from './fault.ts'

/** A client's session is closed while it is in use. */
const closed: Fault = {
  name: 'session-closed',
  weight: 2,
  leastNodes: 1,
  lastsMs: 0,
  apply(world, dice) {
    const front = world.node(world.leaderOrAny(dice)).front
    const session = world.anySession(dice)
    if (front === undefined || session === undefined) return undefined
    front.sessionChange(encodeSessionChange({ type: 'close', session }), { result() {}, fail() {} })
    return undefined
  },
}

/** A client asks for nothing for a while: its session may expire meanwhile. */
const idle: Fault = {
  name: 'idle-client',
  weight: 2,
  leastNodes: 1,
  lastsMs: 4000,
  apply(world, dice) {
    const client = dice.pick(world.clients)
    client.rest()
    return () => client.goOn()
  },
}

/** A client's process stops for a while, and goes on with what it believed. */
const paused: Fault = {
  name: 'client-pause',
  weight: 2,
  leastNodes: 1,
  lastsMs: 2000,
  apply(world, dice) {
    const client = dice.pick(world.clients)
    client.pause()
    return () => client.resume()
  },
}

export const SESSION_FAULTS: readonly Fault[] = [closed, idle, paused]
