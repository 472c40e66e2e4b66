import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { callingProcess } from './calling-process.js'

const TAIL = Array.from({ length: 17 }, (_, index) => index + 3).join(' ')

/** Processes as /proc tells of them. */
function proc(processes: Readonly<Record<number, readonly [name: string, parent: number]>>) {
  return (path: string): string => {
    const pid = Number(path.split('/')[2])
    const found = processes[pid]
    if (found === undefined) throw new Error('ENOENT')
    return `${pid} (${found[0]}) S ${found[1]} ${TAIL} 777${pid} 0 0\n`
  }
}

describe('the program that asks', () => {
  test.each([
    ['itself', { 10: ['claude', 5] }, '10-77710'],
    ['behind a shell', { 10: ['sh', 9], 9: ['node', 5] }, '9-7779'],
    ['behind several', { 10: ['timeout', 9], 9: ['bash', 8], 8: ['dash', 7], 7: ['codex', 1] }, '7-7777'],
    ['a shell that a person types in', { 10: ['bash', 1] }, '10-77710'],
    ['whose name looks like the end of it', { 10: ['a) S 1 (b', 5] }, '10-77710'],
    ['that is gone', {}, '10'],
  ] as const)('%s', (_, processes, wanted) => {
    expect(callingProcess(10, proc(processes))).toBe(wanted)
  })

  test.runIf(process.platform === 'linux')('is this one for a command that it runs through a shell', () => {
    const seen = execFileSync('sh', ['-c', 'cat /proc/$PPID/stat; true'], { encoding: 'latin1' })
    const startedAt = seen.slice(seen.lastIndexOf(')') + 2).split(' ')[19]
    expect(callingProcess(process.pid)).toBe(`${process.pid}-${startedAt}`)
  })
})
