import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Body, Envelope } from '../../src/maelstrom/protocol.ts'
import { fakeWorld } from '../cli/support/fake-context.ts'

function line(body: Body, dest = 'n1'): string {
  return JSON.stringify({ src: 'c1', dest, body })
}

/** Runs the command on lines of input until it ends by itself. */
async function maelstrom(lines: readonly string[], ...flags: readonly string[]) {
  const world = fakeWorld({ stdin: lines.map((text) => `${text}\n`).join('') })
  const code = await world.run('maelstrom', ...flags)
  const output = world.stdout.text.split('\n').slice(0, -1)
  return { code, output: output.map((text) => JSON.parse(text) as Envelope), log: world.stderr.text }
}

const INIT = line({ type: 'init', msg_id: 1, node_id: 'n1', node_ids: ['n1'] })

describe('balsa maelstrom', () => {
  it('answers what waits when its input ends, and exits with 0', async () => {
    const { code, output } = await maelstrom([
      INIT,
      line({ type: 'write', msg_id: 2, key: 'x', value: 1 }),
      line({ type: 'read', msg_id: 3, key: 'x' }),
    ])
    assert.equal(code, 0)
    assert.deepEqual(output, [
      { src: 'n1', dest: 'c1', body: { type: 'init_ok', in_reply_to: 1 } },
      { src: 'n1', dest: 'c1', body: { type: 'write_ok', in_reply_to: 2 } },
      { src: 'n1', dest: 'c1', body: { type: 'read_ok', value: 1, in_reply_to: 3 } },
    ])
  })

  it('writes messages to standard output, and everything else to standard error', async () => {
    const junk = ['not JSON', '[]', '{"src": "c1"}', '{"src": "c1", "dest": "n1", "body": {}}', '']
    const { code, output, log } = await maelstrom([...junk, INIT])
    assert.equal(code, 0)
    assert.deepEqual(
      output.map(({ body }) => body.type),
      ['init_ok'],
    )
    assert.match(log, /not a message/)
  })

  it('ends when nothing was ever asked', async () => {
    assert.deepEqual(await maelstrom([]), { code: 0, output: [], log: '' })
  })

  it('refuses settings that cannot work', async () => {
    for (const flags of [
      ['--reads', 'guess'],
      ['--election-ms', '100'],
      ['--heartbeat-ms', '0'],
    ]) {
      const { code, output, log } = await maelstrom([], ...flags)
      assert.equal(code, 2, flags.join(' '))
      assert.deepEqual(output, [])
      assert.notEqual(log, '')
    }
  })
})
