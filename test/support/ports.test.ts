import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { reservePorts } from './ports.ts'

const MODULE = fileURLToPath(new URL('ports.ts', import.meta.url))

const TAKE = `
  const { reservePorts } = await import(${JSON.stringify(MODULE)})
  console.log(JSON.stringify(await reservePorts(200)))
`

describe('reserved ports', () => {
  it('are nobody else’s while nothing listens on them, in this process or another', async () => {
    const mine = [...(await reservePorts(20)), ...(await reservePorts(20))]
    assert.equal(new Set(mine).size, 40)
    const args = [...process.execArgv, '--input-type=module', '--eval', TAKE]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    const theirs = new Set(JSON.parse(stdout) as number[])
    assert.equal(theirs.size, 200)
    assert.deepEqual(
      mine.filter((port) => theirs.has(port)),
      [],
    )
  })

  it('can be listened on', async () => {
    const [port] = await reservePorts(1)
    const server = createServer().listen(port, '127.0.0.1')
    await once(server, 'listening')
    await new Promise((resolve) => server.close(resolve))
  })
})
