import { execFileSync } from 'node:child_process'
import { statfs } from 'node:fs/promises'

/** What has to be there, and the Debian package that it comes with. */
const PROGRAMS = Object.freeze({ etcd: 'etcd-server', h2load: 'nghttp2-client' })

/** statfs(2)'s numbers of file systems in memory. */
const IN_MEMORY = Object.freeze(
  new Map([
    [0x01021994, 'tmpfs'],
    [0x858458f6, 'ramfs'],
  ]),
)

/** Why the comparison cannot be run here and what to do about it, in words; undefined where it can. */
export async function missing(dir: string): Promise<string | undefined> {
  const packages = Object.entries(PROGRAMS).filter(([program]) => !isInstalled(program))
  if (packages.length > 0) {
    const names = packages.map(([program]) => program).join(' and ')
    const command = `sudo apt-get install ${packages.map(([, name]) => name).join(' ')}`
    return (
      `bench:etcd needs ${names}, which it does not install by itself. On Debian or Ubuntu:\n  ${command}\n` +
      'Debian starts an etcd of its own as a service; `sudo systemctl disable --now etcd` ends it.'
    )
  }
  const memory = IN_MEMORY.get((await statfs(dir)).type)
  if (memory !== undefined) {
    return `${dir} is in memory (${memory}), where no fsync costs anything. Name a folder on a disk with --dir.`
  }
  return undefined
}

function isInstalled(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
