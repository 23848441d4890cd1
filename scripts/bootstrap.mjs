// What `npm start`, `npm test`, `npm run build`, `bench`, `sim`, `mutants` and `damage` run: installs and builds what
// is missing or out of date, then does what was asked. It needs Node and npm, nothing else, and is parsed by whatever
// Node is there, however old: nothing newer than ES modules in this file.
import childProcess from 'child_process'
import fs from 'fs'
import path from 'path'
import url from 'url'

/**
 * Programs in TypeScript beside the package: `npm run bench` and the like.
 * @type {Record<string, string>}
 */
const programs = {
  bench: 'bench/main.ts',
  'bench:echo': 'bench/echo/main.ts',
  'bench:etcd': 'bench/etcd/main.ts',
  profile: 'bench/profile/main.ts',
  availability: 'bench/availability/main.ts',
  sim: 'test/sim/main.ts',
  mutants: 'test/mutants/main.ts',
  damage: 'test/damage/main.ts',
  soak: 'test/soak/main.ts',
  explore: 'test/explore/main.ts',
  maelstrom: 'test/maelstrom/main.ts',
  'disk-faults': 'test/disk-faults/main.ts',
}

const root = path.dirname(path.dirname(url.fileURLToPath(import.meta.url)))

/**
 * What is wrong with this Node and what to do about it, or `undefined` if it will do.
 * @param {string} version such as 20.19.0
 * @param {string} engines what package.json asks for, such as >=20.19
 */
export function nodeProblem(version, engines) {
  const wanted = (engines.match(/\d+/g) || []).map(Number)
  const found = version.split('.').map(Number)
  for (let part = 0; part < wanted.length; part++) {
    const difference = (found[part] || 0) - (wanted[part] || 0)
    if (difference > 0) return undefined
    if (difference < 0) {
      return [
        'Balsa needs Node ' +
          wanted.join('.') +
          ' or newer; this is Node ' +
          version +
          ' (' +
          process.execPath +
          ').',
        'Install a newer one and run the same command again:',
        '  from https://nodejs.org/en/download',
        '  or with a version manager: `nvm install 24`, `fnm install 24`, `volta install node@24`',
      ].join('\n')
    }
  }
  return undefined
}

/** @param {string[]} argv the command and its flags */
async function main(argv) {
  const engines = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')).engines.node
  const problem = nodeProblem(process.versions.node, engines)
  if (problem !== undefined) {
    console.error(problem)
    process.exit(1)
  }
  const setup = await import('./lib/setup.mjs')
  const command = argv[0] === undefined ? '' : argv[0]
  const flags = argv.slice(1)
  if (!(await setup.setUp(root, { rebuild: command === 'build' && flags.includes('--force') })))
    process.exit(1)
  if (command === 'start') {
    // In this process, so that signals and the exit code need nobody to pass them on.
    const cli = path.join(root, 'dist', 'cli', 'main.js')
    process.argv = [process.execPath, cli, 'cluster', 'start'].concat(flags)
    await import(url.pathToFileURL(cli).href)
  } else if (command === 'test') {
    const test = await import('./test.mjs')
    await test.main(root, flags)
  } else if (programs[command] !== undefined) {
    const typescript = await import('./lib/typescript.mjs')
    const run = typescript.RUN_TYPESCRIPT.concat(path.join(root, programs[command]), flags)
    // What measures runs on the Node that the nodes run on: their clients are a part of the figure.
    const node = programs[command].indexOf('bench/') === 0 ? process.env.BALSA_NODE : undefined
    const ended = childProcess.spawnSync(node || process.execPath, run, { cwd: root, stdio: 'inherit' })
    process.exitCode = ended.status === null ? 1 : ended.status
  }
}

if (
  process.argv[1] !== undefined &&
  fs.realpathSync(process.argv[1]) === url.fileURLToPath(import.meta.url)
) {
  main(process.argv.slice(2)).catch(function (error) {
    // An interruption carries its exit code and needs no explanation.
    if (error.exitCode === undefined) console.error(error)
    process.exit(error.exitCode === undefined ? 1 : error.exitCode)
  })
}
