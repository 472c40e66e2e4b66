import { formatTime } from '../../../domain/rfc3339.js'
import type { AuditEntry, VaultProblem } from '../../../domain/vault.js'
import type { CliContext } from '../context.js'
import { PROBLEMS_FOUND, problemToJson, renderProblems } from '../problems.js'
import { formatLocal } from '../render/time.js'
import type { CommandSpec } from '../spec.js'
import { type Column, renderTable } from '../table.js'
import { parseInstant } from '../values.js'

const COLUMNS: readonly Column[] = [
  { header: 'TIME', keep: true },
  { header: 'WHAT', keep: true },
  { header: 'ON' },
  { header: 'DETAIL', droppable: true },
  { header: 'BY', keep: true, droppable: true },
]

/** `keymux audit`: who did what. */
export const audit: CommandSpec = {
  description:
    'It names accounts and secrets, never their values. --verify proves that no line was changed, removed or exchanged, and that nothing that is remembered of use was put back (exit 6 otherwise). It prints the lines only together with --since.',
  options: [
    { flags: '--verify', summary: 'check that the audit is whole' },
    { flags: '--since <TIME>', summary: 'only what came later: 2026-01-31, 2026-01-31T12:00:00Z or 7d' },
  ],
  examples: [
    { line: 'keymux audit --since 1d', does: 'what happened in the last day' },
    { line: 'keymux audit --verify', does: 'whether somebody tampered with it' },
  ],
  async run(context, input) {
    const sinceText = input.text('since')
    const since =
      sinceText === undefined
        ? undefined
        : parseInstant('--since', sinceText, context.host.clock.now(), 'back')
    const { vault } = await context.open()
    const { signal } = context
    const entries = await vault.audit({ signal, since })
    const problems = input.flag('verify') ? await vault.verifyAudit({ signal }) : undefined
    print(context, entries, problems, problems === undefined || since !== undefined)
    return problems === undefined || problems.length === 0 ? undefined : PROBLEMS_FOUND
  },
}

function print(
  { output, style }: CliContext,
  entries: readonly AuditEntry[],
  problems: readonly VaultProblem[] | undefined,
  listed: boolean,
): void {
  const verdict =
    problems === undefined ? {} : { ok: problems.length === 0, problems: problems.map(problemToJson) }
  const value = { ...verdict, ...(listed ? { entries: entries.map(toJson) } : {}), total: entries.length }
  output.result(value, () => {
    const table = { width: output.width, header: style.bold }
    const lines = listed
      ? [entries.length === 0 ? 'Nothing happened.' : renderTable(COLUMNS, entries.map(toRow), table)]
      : []
    if (problems?.length === 0) lines.push(`${style.good('✓')} The audit is whole.`)
    else if (problems !== undefined) lines.push(renderProblems(problems, style))
    return lines.join('\n')
  })
}

function toJson({ sequence, at, event, subject, surface, pid, detail }: AuditEntry): Record<string, unknown> {
  return {
    sequence,
    at: formatTime(at),
    event,
    ...(subject === undefined ? {} : { subject }),
    surface,
    pid,
    ...(detail === undefined ? {} : { detail }),
  }
}

function toRow({ at, event, subject, surface, pid, detail }: AuditEntry): string[] {
  const [on = '', more = ''] = event.startsWith('chain') ? ofChain(subject, detail) : [subject, detail]
  return [formatLocal(at), event.replaceAll('_', ' '), on, more.replaceAll('_', ' '), `${surface} ${pid}`]
}

/** A writer and a MAC are long numbers, which tell a person nothing: the whole is in the JSON. */
function ofChain(writer: string = '', detail: string = ''): readonly [on: string, detail: string] {
  const [line] = detail.split(' ')
  return [writer.slice(0, 8), line === '' ? '' : `line ${line}`]
}
