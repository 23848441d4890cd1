import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { outsidePromises, runMicrotasks } from './engine/microtasks.ts'
import { planOf } from './plan.ts'
import { World } from './world.ts'

const MiB = 1024 * 1024

/** A cluster of three on calm machines, under load, that the test makes trouble for. */
class Calm {
  readonly world: World

  constructor(seed: number) {
    this.world = new World(planOf(seed, { nodes: [3], faults: [] }))
    for (const node of this.world.nodes) node.start()
    runMicrotasks()
    for (const client of this.world.clients) client.begin()
    runMicrotasks()
  }

  /** Lets time pass, in milliseconds. */
  pass(milliseconds: number): void {
    const end = this.world.events.now + milliseconds
    while (this.world.events.next(end)) {
      assert.equal(this.world.breach, undefined, JSON.stringify(this.world.breach))
    }
  }

  /** How the operations that ended since `from` ended. */
  outcomesSince(from: number): string[] {
    return this.world.history.slice(from).map(({ outcome }) => outcome.type)
  }
}

describe('a leader whose disk hangs', () => {
  it('is succeeded by another within some election time-outs, and clients are served', () =>
    outsidePromises(() => {
      for (const seed of [2]) {
        const calm = new Calm(seed)
        const { world } = calm
        calm.pass(4000)
        const old = world.leader
        assert.ok(old !== undefined)
        world.node(old).disk.temper.hangs = true
        // Four time-outs of patience, two until the others notice, one to agree, and some more for a split vote.
        calm.pass(10 * world.plan.electionMs)
        assert.notEqual(world.leader, old, `seed ${seed}`)
        const from = world.history.length
        calm.pass(3000)
        assert.ok(calm.outcomesSince(from).includes('ok'), `seed ${seed}: nobody is served`)
        const next = world.leader
        world.node(old).disk.temper.hangs = false
        calm.pass(2500)
        assert.equal(world.leader, next, `seed ${seed}: its return disturbs the new leader`)
      }
    }))
})

describe('a leader that is low on disk space', () => {
  it('refuses writes for certain, and takes them again when there is space', () =>
    outsidePromises(() => {
      const calm = new Calm(4)
      const { world } = calm
      calm.pass(4000)
      for (const node of world.nodes) node.disk.temper.freeBytes = 100 * MiB
      calm.pass(2500)
      const from = world.history.length
      calm.pass(4000)
      const during = world.history.slice(from)
      const puts = during.filter(({ asked }) => asked.type === 'put' || asked.type === 'cas')
      assert.ok(puts.length > 0)
      for (const { outcome } of puts) {
        assert.equal(outcome.type === 'failed' && outcome.code, 'RESOURCE_EXHAUSTED')
      }
      const others = during.filter(({ asked }) => asked.type === 'get' || asked.type === 'delete')
      const served = others.filter(({ outcome }) => outcome.type === 'ok')
      assert.ok(served.some(({ asked }) => asked.type === 'get'))
      assert.ok(served.some(({ asked }) => asked.type === 'delete'))
      for (const { outcome } of others) {
        assert.notEqual(outcome.type !== 'ok' && outcome.code, 'RESOURCE_EXHAUSTED')
      }
      for (const node of world.nodes) node.disk.temper.freeBytes = 1000 * MiB
      calm.pass(3000)
      const after = world.history.length
      calm.pass(3000)
      assert.ok(
        world.history
          .slice(after)
          .some(({ asked, outcome }) => asked.type === 'put' && outcome.type === 'ok'),
      )
    }))
})
