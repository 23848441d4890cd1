import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, it } from 'node:test'
import { RUN_TYPESCRIPT } from '../../scripts/lib/typescript.mjs'
import { record } from './recorder.ts'
import { renderAll, renderScreen } from './screen.ts'
import { findScript, purposeOf, shippedScripts } from './scripts.ts'
import { Position, walk } from './terminal.ts'
import { fit, paint, plain, wrap } from './text.ts'
import type { Frame } from './recorder.ts'

const ROOT = join(import.meta.dirname, '../..')
const COLOURS = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g')

function framesOf(name: string): readonly Frame[] {
  return record(findScript(name, ROOT).text)
}

/** The first step of a script in which something like this is said. */
function stepSaying(name: string, said: RegExp): Frame {
  const frame = framesOf(name).find((step) => said.test(step.said.join('\n')))
  assert.ok(frame, `${name} never says ${said}`)
  return frame
}

function rulesOf({ rules }: Frame): string {
  return rules.map(({ section, text }) => `${section} ${text}`).join('\n')
}

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function explore(...flags: string[]): Promise<Ended> {
  const run = [...RUN_TYPESCRIPT, join(import.meta.dirname, 'main.ts'), ...flags]
  return new Promise((resolve) => {
    const child = execFile(process.execPath, run, { cwd: ROOT }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
    child.stdin?.end()
  })
}

describe('explore: every script that comes with Balsa', () => {
  for (const name of shippedScripts()) {
    it(`${name} fits a terminal of 80 and of 120 columns`, () => {
      const frames = framesOf(name)
      assert.ok(frames.length > 5)
      assert.match(purposeOf(findScript(name, ROOT).text), /\w{4,}.*[.:]$/)
      for (const width of [80, 120]) {
        const lines = renderAll({ name, frames }, width, plain)
        assert.deepEqual(
          lines.filter((line) => line.length > width),
          [],
        )
        const print = lines.join('\n')
        for (const { id } of frames[0]!.servers) assert.match(print, new RegExp(` ${id}\\b`))
        for (const [at, frame] of frames.entries()) {
          const screen = renderScreen({ name, frames }, at, { width, height: 24 }, paint)
          assert.equal(screen.length, 24)
          const text = screen.map((line) => line.replaceAll(COLOURS, ''))
          assert.ok(text.every((line) => line.length <= width))
          // Whatever else there is no room for: what happened, its rule and the indexes are in sight.
          const seen = text.join(' ').replaceAll(/[\s│]+/g, ' ')
          assert.match(seen, /commitIndex.*lastApplied.*log/)
          if (frame.said.length > 0) assert.ok(seen.includes(frame.said[0]!.slice(0, 30)), seen)
          for (const { section } of frame.rules) assert.ok(seen.includes(section))
        }
      }
    })

    it(`${name} has a rule for whatever a server does with a message`, () => {
      const bare = framesOf(name).filter(({ said, rules }) => said[0]?.includes('←') && rules.length === 0)
      assert.deepEqual(
        bare.map(({ said }) => said),
        [],
      )
    })
  }
})

describe('explore: what there is to see', () => {
  it('a set on the leader is invisible until it is replicated', () => {
    const frames = framesOf('chapter-3')
    const proposed = frames.findIndex(({ command }) => command === 'propose n1 set x 1')
    const committed = frames.findIndex(({ said }) => said.includes('n1 commitIndex 2'))
    assert.ok(proposed > 0 && committed > proposed)
    for (const { servers } of frames.slice(0, committed + 1)) {
      assert.deepEqual(
        servers.flatMap(({ values }) => values),
        [],
      )
    }
    const [n1, n2, n3] = frames[committed]!.servers
    assert.deepEqual([n1!.commitIndex, n1!.lastApplied, n2!.commitIndex, n3!.commitIndex], [2, 1, 1, 1])
    assert.deepEqual(frames[committed + 1]!.servers[0]!.values, ['x=1'])
    assert.equal(frames[committed + 1]!.servers[0]!.lastApplied, 2)
  })

  it('how far each entry has got on each server', () => {
    const states = (frame: Frame): unknown[] => frame.servers.map(({ entries }) => entries.at(-1)!.state)
    const held = stepSaying('chapter-4', /n2 holds for its disk/)
    assert.deepEqual(states(held), ['in memory', 'in memory', 'applied'])
    const committed = stepSaying('chapter-4', /n1 commitIndex 2/)
    assert.deepEqual(states(committed), ['committed', 'on disk', 'on disk'])
  })

  it('of a server that is down, what its disk has', () => {
    const down = framesOf('chapter-1').find(({ command }) => command === 'crash n1')!.servers[0]!
    assert.deepEqual([down.role, down.term, down.votedFor, down.commitIndex], ['down', 1, 'n1', undefined])
    assert.equal(down.entries.length, 4)
  })

  it('the messages that are on their way, those of cut links not', () => {
    const steps = framesOf('chapter-3')
    const sent = steps.find(({ command }) => command === 'propose n1 set x 1')!
    assert.deepEqual(
      sent.network.map((message) => message.slice(0, 14)),
      ['n1 → n2 append', 'n1 → n3 append'],
    )
    const alone = steps.find(({ command }) => command === 'propose n1 set x lost')!
    assert.deepEqual(alone.network, [])
  })

  it('a mark on what has changed, and on nothing else', () => {
    const frames = framesOf('chapter-3')
    const at = frames.findIndex(({ said }) => said.includes('n1 commitIndex 2'))
    const screen = renderScreen({ name: 'x', frames }, at, { width: 80, height: 40 }, plain)
    const marked = screen
      .filter((line) => /\*\S/.test(line))
      .map((line) => line.trim().split(/\s+/).slice(0, 2).join(' '))
    assert.deepEqual(marked, ['commitIndex*2 1', 'match<next *2<3', '2 *c1'])
  })

  it('the rule beside the step, by its section', () => {
    const cases: [string, RegExp, RegExp][] = [
      ['01', /n1 → n2 preVote/, /§3\.4 .*\n§9\.6 /],
      ['01', /n1 is candidate/, /§9\.6 A majority would/],
      ['01', /n2 → n1 voteReply/, /§3\.8 /],
      ['01', /n1 is leader/, /§3\.4 .*\n§3\.6\.2 .*no-op/],
      ['02', /n2 ← n3 preVote term 2/, /§4\.2\.3 /],
      ['03', /n1 commitIndex 2/, /§3\.6\.2 Entry 2 .*own term/],
      ['04', /n2 ← n1 append.*after 10/, /§3\.5 .*refuses/],
      ['04', /n2 writes/, /§3\.5 /],
      ['05', /n1 ← n3 appendReply term 4, matches up to 2/, /§3\.6\.2 Entry 2 .*older term.*Figure 3\.7/],
      ['06', /serves read 1/, /§6\.4 A majority still follows/],
      ['06', /n2 refuses read 9/, /§6\.4 Only a leader/],
      ['07', /n1 is follower, term 1/, /§6\.2 .*steps down/],
      ['chapter-2', /n1 ← n2 vote/, /§3\.4 It has voted for n1/],
      ['chapter-2', /n3 does not lead/, /§6\.2 /],
      ['chapter-3', /n1 writes #6/, /§3\.5 Its entry 3 .*replaced/],
    ]
    for (const [name, said, rule] of cases)
      assert.match(rulesOf(stepSaying(name, said)), rule, `${name} ${said}`)
  })

  it('a table for each group of servers where the width does not hold all', () => {
    const frames = framesOf('05')
    const lines = renderAll({ name: 'x', frames }, 50, plain)
    assert.ok(lines.every((line) => line.length <= 50))
    assert.ok(lines.some((line) => /^ +n1 +n2 +n3$/.test(line)))
    assert.ok(lines.some((line) => /^ +n4 +n5$/.test(line)))
  })
})

describe('explore: keys', () => {
  it('go on, back, to the ends, and stop there', () => {
    const position = new Position(3)
    const after = (...names: string[]): number => {
      for (const name of names) assert.equal(position.press({ name }), true)
      return position.at
    }
    assert.equal(after('left'), 0)
    assert.equal(after('space'), 1)
    assert.equal(after('return', 'right', 'right'), 2)
    assert.equal(after('backspace'), 1)
    assert.equal(after('x', 'c'), 1)
    assert.equal(after('end'), 2)
    assert.equal(after('g'), 0)
    assert.equal(position.press({ name: 'g', shift: true }), true)
    assert.equal(position.at, 2)
    for (const key of [{ name: 'q' }, { name: 'escape' }, { name: 'c', ctrl: true }]) {
      assert.equal(position.press(key), false)
    }
  })

  it('draw the step that they lead to; the terminal is left as it was found', async () => {
    const modes: boolean[] = []
    const input = Object.assign(new PassThrough(), { setRawMode: (on: boolean) => modes.push(on) })
    const output = Object.assign(new PassThrough(), { columns: 80, rows: 24 })
    const draw = (at: number, width: number, height: number): string[] => [`step ${at} ${width}x${height}`]
    input.write('  \x7fq')
    await walk(5, draw, input, output)
    assert.deepEqual(modes, [true, false])
    const written = String(output.read())
    assert.deepEqual(
      Array.from(written.matchAll(/step (\d) 80x24/g), ([, at]) => at),
      ['0', '1', '2', '1'],
    )
    assert.ok(written.endsWith('\x1b[?25h\x1b[?1049l'))
    assert.equal(input.listenerCount('keypress'), 0)
  })
})

describe('explore: scripts that make no sense', () => {
  it('are refused with the line and what to do', () => {
    const cases: [string, RegExp][] = [
      ['', /nothing happens in it.*"> "/],
      ['# only a comment', /nothing happens in it/],
      ['> cluster 3\ntick n1', /line 2 .*"tick n1".*Comments begin with "#"/],
      ['> tick n1', /line 1, `tick n1`: there is no cluster yet/],
      ['> cluster three', /line 1, .*whole number from 1 on, and is three/],
      ['> cluster 3 electionTics=4', /there is no option electionTics; there are: electionTicks/],
      ['> cluster 3\n\n> tick n9', /line 3, `tick n9`: there is no server n9; there are n1, n2, n3/],
      ['> cluster 3\n> cut n1', /there is no server \(none is named\)/],
      ['> cluster 3\n> tick n1 x', /the number of ticks must be a whole number/],
      ['> cluster 3\n> dance n1', /there is no command dance; there are:[^]*propose ID COMMAND/],
      ['> cluster 3\n> propose n1 get x', /a command is `set KEY VALUE` or `delete KEY`/],
      ['> cluster 3\n> deliver appends', /no message is of type appends; types are: preVote/],
      ['> cluster 3\n> crash n1\n> tick n1', /line 3, `tick n1`: n1 is down/],
    ]
    for (const [text, message] of cases) assert.throws(() => record(text), { name: 'ScriptError', message })
  })

  it('are found by name, by its beginning, or by path; or not at all', () => {
    assert.equal(findScript('chapter-2', ROOT).name, 'chapter-2-election')
    assert.equal(findScript('03-replication.golden', ROOT).name, '03-replication')
    assert.equal(findScript('test/raft/golden/03-replication.golden', ROOT).name, '03-replication')
    assert.throws(() => findScript('chapter', ROOT), /several begin so: chapter-1-key-value, chapter-2/)
    assert.throws(() => findScript('nowhere', ROOT), /no such script or file.*lists the scripts/)
    assert.throws(() => findScript('test', ROOT), /cannot be read \(EISDIR\)/)
  })
})

describe('explore: text', () => {
  it('is wrapped between words, and within one that no line holds', () => {
    assert.deepEqual(wrap('one two three', 8), ['one two', 'three'])
    assert.deepEqual(wrap('one two three', 8, '  '), ['one two', '  three'])
    assert.deepEqual(wrap('abcdefghij k', 4), ['abcd', 'efgh', 'ij k'])
    assert.deepEqual(wrap('ab cdefghij', 4, ' '), ['ab', ' cde', ' fgh', ' ij'])
    assert.deepEqual(wrap('', 8), [''])
  })

  it('is cut with a mark', () => {
    assert.deepEqual([fit('abc', 5), fit('abcdef', 4)], ['abc  ', 'abc…'])
  })
})

describe('npm run explore', { concurrency: true }, () => {
  it('lists the scripts', async () => {
    const { code, stdout } = await explore()
    assert.equal(code, 0)
    const listed = stdout.split('\n').filter((line) => /^[\w-]+$/.test(line))
    assert.deepEqual(listed, shippedScripts())
    assert.match(listed[0]!, /^chapter-1/)
  })

  it('prints all steps, without colours, where there is no terminal', async () => {
    const { code, stdout } = await explore('09', '--all')
    assert.equal(code, 0)
    const frames = framesOf('09')
    assert.equal(stdout, renderAll({ name: '09-single-node', frames }, 80, plain).join('\n') + '\n')
  })

  it('exits with 2 and says what to do', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'balsa-explore-'))
    try {
      const path = join(folder, 'mine.golden')
      writeFileSync(path, '> cluster 3\n> dance n1\n')
      const [missing, malformed] = await Promise.all([explore('nowhere'), explore(path)])
      assert.deepEqual([missing.code, malformed.code], [2, 2])
      assert.match(missing.stderr, /^nowhere: there is no such script or file/)
      assert.match(malformed.stderr, /line 2, `dance n1`: there is no command dance/)
      assert.doesNotMatch(malformed.stderr, /\n +at /, 'no stack trace')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('docs/raft-by-chapters.md', () => {
  const page = readFileSync(join(ROOT, 'docs/raft-by-chapters.md'), 'utf8')

  it('has a chapter for each chapter script, and names only scripts that exist', () => {
    const named = Array.from(page.matchAll(/npm run explore -- ((?:chapter-)?\d+)/g), ([, name]) => name!)
    const found = new Set(named.map((name) => findScript(name, ROOT).name))
    const chapters = shippedScripts().filter((name) => name.startsWith('chapter-'))
    assert.equal(chapters.length, 4)
    for (const chapter of chapters) assert.ok(found.has(chapter), chapter)
    const others = Array.from(page.matchAll(/`(\d\d-[\w-]+)`/g), ([, name]) => name!)
    assert.ok(others.length > 4)
    for (const name of others) assert.ok(shippedScripts().includes(name), name)
  })
})
