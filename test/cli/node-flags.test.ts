import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { nodeFlags } from '../../src/cli/node-flags.ts'

describe('what the Node of a node is told', () => {
  it('to keep its young generation small', () => {
    assert.deepEqual(nodeFlags([]), ['--max-semi-space-size=16'])
  })

  it('what this Node was told as well, and last, where it counts; but not the port of a debugger', () => {
    const own = ['--max-semi-space-size=64', '--inspect=9229', '--enable-source-maps']
    const expected = ['--max-semi-space-size=16', '--max-semi-space-size=64', '--enable-source-maps']
    assert.deepEqual(nodeFlags(own), expected)
  })

  it('nothing of it where the environment does, in either spelling', () => {
    assert.deepEqual(nodeFlags([], '--no-warnings --max-semi-space-size=64'), [])
    assert.deepEqual(nodeFlags([], '--max_semi_space_size=64'), [])
    assert.deepEqual(nodeFlags([], '--no-warnings'), ['--max-semi-space-size=16'])
  })

  it('in a way that Node takes, in NODE_OPTIONS too, as the image and the unit for systemd have it', () => {
    const [flag] = nodeFlags([]) as [string]
    assert.equal(spawnSync(process.execPath, [flag, '-e', '']).status, 0)
    const env = { ...process.env, NODE_OPTIONS: flag }
    assert.equal(spawnSync(process.execPath, ['-e', ''], { env }).status, 0)
  })
})
