import { readFile } from 'node:fs/promises'

/** What `/etc/passwd` and `/etc/group` hold. */
export interface AccountFiles {
  readonly passwd: string
  readonly group: string
}

/**
 * Whether a group is one of those that `umask 002` goes with: it has the name of `user` or of root, and nobody
 * else is in it, by `/etc/passwd` and `/etc/group`. One that they do not know may have anybody in it.
 */
export function isOwnGroup({ passwd, group }: AccountFiles, gid: bigint, user: bigint): boolean {
  const users = rows(passwd).map(([name = '', , uid, own]) => ({ name, uid, gid: own }))
  const names = new Set(
    users.filter(({ uid }) => uid === String(user) || uid === '0').map(({ name }) => name),
  )
  const entries = rows(group).filter(([, , id]) => id === String(gid))
  const members = [
    ...users.filter((one) => one.gid === String(gid)).map(({ name }) => name),
    ...entries.flatMap(([, , , list = '']) => list.split(',').filter((name) => name !== '')),
  ]
  return (
    entries.length > 0 &&
    entries.every(([name = '']) => names.has(name)) &&
    members.every((name) => names.has(name)) &&
    // As Debian's OpenSSH has it: what nobody is in is lent to programs.
    members.length > 0
  )
}

/** The files of this machine. Elsewhere than on Linux they do not tell who there is. */
export async function accountFiles(): Promise<AccountFiles | undefined> {
  if (process.platform !== 'linux') return undefined
  try {
    const [passwd, group] = await Promise.all(
      ['/etc/passwd', '/etc/group'].map((path) => readFile(path, 'utf8')),
    )
    return passwd === undefined || group === undefined ? undefined : { passwd, group }
  } catch {
    return undefined
  }
}

function rows(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => /^[^#:]+:/.test(line))
    .map((line) => line.trimEnd().split(':'))
}
