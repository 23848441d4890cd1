import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { defaultJobs, runAll } from './jobs.ts'
import { sequenceDiagram } from './mermaid.ts'
import { DEFAULT_PLAN, planOf } from './plan.ts'
import { run } from './run.ts'
import type { RunResult } from './run.ts'
import type { TraceLine } from './trace.ts'

const SEEDS = [1, 2, 3]
const SHORT = { ...DEFAULT_PLAN, rate: 14, troubleMs: 12_000 }

describe('a replay', () => {
  it('is the same run, in a fresh process too', async () => {
    const elsewhere = new Map<number, RunResult>()
    const waiting = [...SEEDS]
    const next = () => (waiting.length > 0 ? { ...SHORT, seed: waiting.shift()! } : undefined)
    await runAll(defaultJobs(), next, (result) => elsewhere.set(result.seed, result))
    const hashes = new Set<string>()
    for (const seed of SEEDS) {
      const here = await run(planOf(seed, SHORT))
      assert.equal(elsewhere.get(seed)!.traceHash, here.traceHash, `seed ${seed}`)
      assert.equal(elsewhere.get(seed)!.events, here.events, `seed ${seed}`)
      hashes.add(here.traceHash)
    }
    assert.equal(hashes.size, SEEDS.length)
  })

  it('tells in the words of the paper what happens, and changes nothing by telling', async () => {
    const lines: TraceLine[] = []
    const plan = planOf(2, { ...SHORT, nodes: [3], troubleMs: 3000 })
    const told = await run(plan, (line) => lines.push(line))
    const silent = await run(plan)
    assert.equal(told.traceHash, silent.traceHash)
    const text = lines.map(({ what }) => what).join('\n')
    for (const word of [
      'RequestVote term',
      'AppendEntries term',
      'persists currentTerm',
      'is leader in term',
    ]) {
      assert.ok(text.includes(word), word)
    }
    const diagram = sequenceDiagram(lines.slice(0, 50), ['n1', 'n2', 'n3'])
    assert.match(diagram, /^sequenceDiagram\n {2}participant n1\n/)
    assert.match(diagram, /n\d->>n\d: [\d.]+ s: PreVote term 1/)
  })
})
