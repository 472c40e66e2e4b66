import { KeymuxError } from '../../domain/errors.js'
import { redactSecrets } from '../../domain/redact.js'
import type { CliContext, CliHost } from './context.js'
import { createContext } from './create-context.js'
import { reportError } from './errors.js'
import { signalStatus } from './interrupts.js'
import { parseInvocation } from './program.js'
import type { CommandEntry } from './spec.js'
import { createStyle, wantsColor } from './style.js'
import { hasFlag } from './usage.js'

/** The hidden command that completion scripts call. */
export const COMPLETE_COMMAND = '__complete'

/** Runs one command line and gives the exit status. Everything it touches is in `host`. */
export async function run(
  argv: readonly string[],
  host: CliHost,
  commands: readonly CommandEntry[],
): Promise<number> {
  let context: CliContext | undefined
  try {
    if (argv[0] === COMPLETE_COMMAND) return await complete(argv.slice(1), host, commands)
    const invocation = await parseInvocation(argv, commands, host.services.version, helpSink(argv, host))
    if (invocation === undefined) {
      await host.stdout.flush()
      return 0
    }
    context = createContext(host, invocation.flags)
    const status = await invocation.command.run(context, invocation.input)
    await context.close()
    await host.stdout.flush()
    return status ?? 0
  } catch (error) {
    await context?.close().catch(() => undefined)
    return fail(error, hasFlag(argv, '--json'), host)
  }
}

/** Says what went wrong, on standard error, and gives the exit status. */
export function fail(
  error: unknown,
  json: boolean,
  host: Pick<CliHost, 'stderr' | 'env' | 'interrupts'>,
): number {
  const { received } = host.interrupts
  const report = reportError(received === undefined ? error : new KeymuxError('interrupted', 'interrupted'))
  host.stderr.write(`${json ? report.json : report.line}\n`)
  if (debugging(host.env) && !json && error instanceof Error) {
    host.stderr.write(`${redactSecrets(error.stack ?? '')}\n`)
  }
  return received === undefined ? report.exitCode : signalStatus(received)
}

/** Whether the person wants to see where errors come from. */
export function debugging(env: Readonly<Record<string, string | undefined>>): boolean {
  return env.KEYMUX_DEBUG !== undefined && env.KEYMUX_DEBUG !== '' && env.KEYMUX_DEBUG !== '0'
}

async function complete(
  args: readonly string[],
  host: CliHost,
  commands: readonly CommandEntry[],
): Promise<number> {
  const { runCompletion } = await import('./completion/request.js')
  await runCompletion(args, host, commands)
  await host.stdout.flush()
  return 0
}

function helpSink(argv: readonly string[], { env, stdout }: CliHost): Parameters<typeof parseInvocation>[3] {
  return {
    write: (text) => stdout.write(text),
    width: stdout.columns,
    style: createStyle(wantsColor({ isTTY: stdout.isTTY, env, refused: hasFlag(argv, '--no-color') })),
  }
}
