// Loaded into every process of a cluster by `npm run profile` (node's --import). On SIGUSR2 the process samples what
// its JavaScript does, and on the next SIGUSR2 it writes the profile to the folder that PROFILES_OF_BENCH names. So
// a profile holds the load and nothing of the start, and no port is opened.
import { renameSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import { join } from 'node:path'

/** Samples are so many microseconds apart. */
const INTERVAL_US = 500

const folder = process.env.PROFILES_OF_BENCH
/** @type {Session | undefined} */
let session

function begin() {
  session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.setSamplingInterval', { interval: INTERVAL_US })
  session.post('Profiler.start')
}

/** @param {Session} ended @param {string} into */
function finish(ended, into) {
  ended.post('Profiler.stop', (error, result) => {
    const file = join(into, `${process.pid}.cpuprofile`)
    // Put in place by renaming: whoever waits for it finds all of it.
    writeFileSync(`${file}.tmp`, JSON.stringify(error ? { error: error.message } : result.profile))
    renameSync(`${file}.tmp`, file)
    ended.disconnect()
  })
}

if (folder !== undefined) {
  process.on('SIGUSR2', () => {
    if (session === undefined) return begin()
    const ended = session
    session = undefined
    finish(ended, folder)
  })
}
