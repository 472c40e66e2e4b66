import { printable } from '../../../domain/printable.js'
import type { CliContext } from '../context.js'
import { diagnose } from '../diagnosis.js'
import type { Finding } from '../finding.js'
import type { CommandSpec } from '../spec.js'
import { pad } from '../width.js'

const MARKS = { ok: '✓', warning: '!', problem: '✗' } as const

/** `keymux doctor`: is everything as it should be? */
export const doctor: CommandSpec = {
  description:
    'It asks for nothing and changes nothing, and says which proxies are in use. What is in the vault is looked at only where KEYMUX_PASSPHRASE, --passphrase-fd or KEYMUX_KEY_FILE opens it. Warnings are no failure.',
  options: [
    { flags: '--live', summary: 'open a connection to each provider, through its proxy, and send nothing' },
  ],
  examples: [
    { line: 'keymux doctor', does: 'when something is odd, and before asking others' },
    { line: 'keymux doctor --live', does: 'sees whether providers and proxies can be reached' },
  ],
  async run(context, input) {
    const findings = await diagnose(context, input.flag('live'))
    const problems = findings.filter(({ status }) => status === 'problem')
    const { output, style, host } = context
    const value = {
      ok: problems.length === 0,
      version: host.services.version(),
      checks: findings.map(({ check, status, message, hint }) => {
        return { check, status, message, ...(hint === undefined ? {} : { hint }) }
      }),
    }
    output.result(value, () =>
      [...findings.map((finding) => render(finding, context)), '', verdict(problems.length, style)].join(
        '\n',
      ),
    )
    return problems[0]?.exitCode
  },
}

function render({ check, status, message, hint }: Finding, { style }: CliContext): string {
  const paint = status === 'ok' ? style.good : status === 'warning' ? style.caution : style.bad
  const line = `${paint(MARKS[status])} ${pad(check, 9)}  ${printable(message)}`
  return hint === undefined ? line : `${line}\n  ${pad('', 9)}  ${style.dim(printable(hint))}`
}

function verdict(problems: number, style: CliContext['style']): string {
  if (problems === 0) return 'Nothing is wrong.'
  return style.bad(problems === 1 ? 'One thing is wrong.' : `${problems} things are wrong.`)
}
