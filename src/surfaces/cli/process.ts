import { homedir } from 'node:os'
import { callingProcess } from '../../system/calling-process.js'
import type { CliHost } from './context.js'
import { watchInterrupts } from './interrupts.js'
import { createPrompter } from './prompt.js'
import { COMMANDS } from './registry.js'
import { debugging, fail, run } from './run.js'
import type { CliServices } from './services.js'
import type { CommandEntry } from './spec.js'
import { nodeSink, nodeSource } from './streams.js'
import { openTerminal } from './terminal.js'
import { hasFlag } from './usage.js'

/** Runs the process's own command line and ends the process, once everything printed has been handed over. */
export async function runProcess(
  services: CliServices,
  commands: readonly CommandEntry[] = COMMANDS,
): Promise<void> {
  const argv = process.argv.slice(2)
  const host = processHost(services, argv)
  const die = (error: unknown): void => {
    const status = fail(error, hasFlag(argv, '--json'), host)
    void host.stderr.flush().finally(() => process.exit(status))
  }
  process.on('uncaughtException', die)
  process.on('unhandledRejection', die)
  // The loop has run dry while the command still waits: nothing can answer it any more.
  process.once('beforeExit', () => die(new Error('the command waits for something that never comes')))
  // Deprecations inside dependencies are nothing the reader of an error could act on.
  if (!debugging(process.env)) process.removeAllListeners('warning')
  const status = await run(argv, host, commands)
  await host.stderr.flush()
  process.exit(status)
}

function processHost(services: CliServices, argv: readonly string[]): CliHost {
  const [json, quiet] = [hasFlag(argv, '--json'), hasFlag(argv, '--quiet')]
  const interrupts = watchInterrupts(process, {
    exit: () => {
      const status = fail(undefined, json, host)
      void host.stderr.flush().finally(() => process.exit(status))
    },
    held: () => {
      if (!json && !quiet) host.stderr.write('keymux: storing renewed tokens; Ctrl-C again gives them up\n')
    },
  })
  const host: CliHost = {
    platform: process.platform,
    env: process.env,
    home: homedir(),
    caller: () => callingProcess(),
    cwd: process.cwd(),
    stdin: nodeSource(() => process.stdin),
    stdout: nodeSink(process.stdout),
    stderr: nodeSink(process.stderr),
    prompter: createPrompter(openTerminal, interrupts.signal),
    clock: { now: () => new Date() },
    interrupts,
    services,
  }
  return host
}
