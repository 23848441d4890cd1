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

/** Why the comparison cannot be run here and what to do about it, in words; undefined where it can. @param dir for data */
export async function missing(
  dir: string,
  programs: readonly (keyof typeof PROGRAMS)[] = ['etcd', 'h2load'],
): Promise<string | undefined> {
  const absent = programs.filter((program) => !isInstalled(program))
  return absent.length > 0 ? installation(absent) : inMemory(dir)
}

/** What to install, in words. */
export function installation(absent: readonly (keyof typeof PROGRAMS)[]): string {
  const command = `sudo apt-get install ${absent.map((program) => PROGRAMS[program]).join(' ')}`
  const service = absent.includes('etcd')
    ? '\nDebian starts an etcd of its own as a service; `sudo systemctl disable --now etcd` ends it.'
    : ''
  return (
    `This needs ${absent.join(' and ')}, which it does not install by itself. On Debian or Ubuntu:\n` +
    `  ${command}${service}`
  )
}

async function inMemory(dir: string): Promise<string | undefined> {
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
