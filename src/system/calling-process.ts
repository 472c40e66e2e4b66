import { readFileSync } from 'node:fs'

/** Shells that programs put between themselves and a command line that they run. */
const SHELLS = /^(?:sh|bash|dash|zsh|ksh|mksh|fish|ash|busybox|env|timeout)$/
const MOST_SHELLS = 4

/**
 * The program that started this process, shells in between left out, as its process id and when it began: another one
 * may get the same id later. Where the system has no /proc, the id of the parent alone.
 *
 * @param read Reads a file of /proc; for tests.
 */
export function callingProcess(
  parent: number = process.ppid,
  read: (path: string) => string = (path) => readFileSync(path, 'latin1'),
): string {
  let pid = parent
  for (let shells = 0; ; shells += 1) {
    const stat = statOf(pid, read)
    if (stat === undefined) return String(pid)
    if (shells === MOST_SHELLS || !SHELLS.test(stat.name) || stat.parent <= 1)
      return `${pid}-${stat.startedAt}`
    pid = stat.parent
  }
}

/** See proc(5): the name stands in parentheses and may hold anything, fields 4 and 22 are parent and beginning. */
function statOf(
  pid: number,
  read: (path: string) => string,
): { readonly name: string; readonly parent: number; readonly startedAt: string } | undefined {
  let text: string
  try {
    text = read(`/proc/${pid}/stat`)
  } catch {
    return undefined
  }
  const close = text.lastIndexOf(')')
  const fields = text.slice(close + 2).split(' ')
  const [parent, startedAt] = [Number(fields[1]), fields[19]]
  if (close < 0 || !Number.isSafeInteger(parent) || startedAt === undefined) return undefined
  return { name: text.slice(text.indexOf('(') + 1, close), parent, startedAt }
}
