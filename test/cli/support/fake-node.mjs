// Stands in for `balsa serve`: listens at its client address and ends as a node does.
//   FAKE_FAIL=n2       n2 logs an error and exits with code 4
//   FAKE_STUBBORN=n2   n2 does not end at SIGTERM
import { createServer } from 'node:net'

const args = process.argv.slice(2)
/** @param {string} name */
const flag = (name) => args[args.indexOf(name) + 1] ?? ''
const id = flag('--id')
const [host, port] = flag('--listen').split(':')

if (process.env.FAKE_FAIL?.split(',').includes(id)) {
  const record = {
    level: 60,
    msg: 'the node could not start',
    err: { message: 'the log ends below its mark' },
  }
  process.stdout.write(`${JSON.stringify({ level: 30, msg: 'before' })}\n${JSON.stringify(record)}\n`)
  process.exit(4)
}
process.on('SIGTERM', () => {
  if (process.env.FAKE_STUBBORN !== id) process.exit(0)
})
if (args.includes('--with-parent')) process.on('disconnect', () => process.exit(0))
// Before it listens: who can connect can read the log.
process.stdout.write(`${JSON.stringify({ level: 30, msg: 'up', args, env: process.env.BALSA_ID ?? null })}\n`)
createServer((socket) => socket.on('error', () => {})).listen({ host, port: Number(port) })
