import { KeymuxError } from '../../../domain/errors.js'
import type { Logger } from '../../../domain/ports.js'
import { followConfig } from '../config-watch.js'
import type { CliContext } from '../context.js'
import { gatewayFolder } from '../gateway.js'
import type { CommandInput } from '../input.js'
import { signalStatus } from '../interrupts.js'
import type { CliGateway, GatewayRequest, LogLevel } from '../services.js'
import type { CommandSpec } from '../spec.js'
import { absolutePath } from '../vault-facts.js'

/** `keymux serve`: the gateway, until a signal ends it. */
export const serve: CommandSpec = {
  description:
    'Forwards http://127.0.0.1:7878/PROVIDER[:NAME]/… to the provider with a credential from the vault, and goes on to the next account when one is rate-limited, unpaid, revoked or broken. Callers show the gateway’s token where they would put a key. SIGTERM and Ctrl-C let answers under way finish; a second one does not. SIGHUP reads the config again, as every change of the file does.',
  options: [
    { flags: '--host <ADDRESS>', summary: 'the address to listen on; 127.0.0.1 by default' },
    { flags: '--port <N>', summary: 'the port; 7878 by default, 0 for any free one' },
    { flags: '--socket <PATH>', summary: 'listen on a unix socket instead', completes: 'file' },
    {
      flags: '--allow-remote',
      summary: 'let --host be one that other machines reach; the token then travels unencrypted',
    },
    { flags: '--allow-host <NAME>', summary: 'a further host name callers may use', repeatable: true },
    { flags: '--rotate-token', summary: 'make a new token; the old one counts no more' },
  ],
  examples: [
    { line: 'keymux serve', does: 'listens on http://127.0.0.1:7878' },
    { line: 'keymux serve --port 0 --json', does: 'prints where, and where its token is' },
    { line: 'keymux serve --socket ~/.keymux/gateway.sock', does: 'listens on a socket only you can open' },
  ],
  async run(context, input) {
    const request = await requestOf(context, input)
    const { logger } = request
    const handle = await context.open({ logger, longLived: true })
    const ended = firstSignal(context)
    const gateway = await context.host.services.startGateway(handle, request)
    announce(context, gateway)
    const { url, socket, tokenFile } = gateway
    logger.info('listening', { url, socket, token_file: tokenFile, pid: process.pid })
    await context.host.stdout.flush()
    const unfollow = followConfig(context, handle, logger)
    const signal = await ended
    unfollow()
    logger.info('shutting down', { signal })
    const again = firstSignal(context)
    const cut = await Promise.race([gateway.close(), again.then(() => gateway.close({ drainMs: 0 }))])
    logger.info('stopped', { cut })
    return signal === 'SIGINT' ? signalStatus(signal) : 0
  },
}

async function requestOf(
  context: CliContext,
  input: CommandInput,
): Promise<GatewayRequest & { readonly logger: Logger }> {
  const { host, settings } = context
  const [address, socket] = [input.text('host'), input.text('socket')]
  const port = input.integer('port', { min: 0, max: 65_535 })
  if (socket !== undefined && (address !== undefined || port !== undefined)) {
    throw new KeymuxError('usage', '--socket stands in place of --host and --port')
  }
  if (socket === '') throw new KeymuxError('invalid_value', '--socket is empty')
  const level: LogLevel = settings.verbose ? 'debug' : settings.quiet ? 'warn' : 'info'
  const token = host.env.KEYMUX_GATEWAY_TOKEN
  if (token === '') throw new KeymuxError('invalid_value', 'KEYMUX_GATEWAY_TOKEN is empty')
  if (token !== undefined && input.flag('rotate-token')) {
    throw new KeymuxError('usage', '--rotate-token and KEYMUX_GATEWAY_TOKEN cannot be used together')
  }
  return {
    ...(address === undefined ? {} : { host: address }),
    ...(port === undefined ? {} : { port }),
    ...(socket === undefined ? {} : { socket: absolutePath(context, '--socket', socket) }),
    ...(token === undefined ? {} : { token }),
    allowRemote: input.flag('allow-remote'),
    allowHosts: input.texts('allow-host'),
    rotateToken: input.flag('rotate-token'),
    stateFolder: gatewayFolder(context),
    logger: await host.services.createLogger(level, host.clock, (line) => host.stderr.write(line)),
  }
}

function announce({ output }: CliContext, { url, port, socket, tokenFile }: CliGateway): void {
  if (output.json) {
    const place = url === undefined ? { socket } : { url, port }
    output.event({ event: 'listening', ...place, token_file: tokenFile })
  } else {
    output.text(`listening on ${url ?? `unix:${socket}`}`)
  }
}

/** The next signal that ends a command, which then is for this one to deal with. */
function firstSignal({ host }: CliContext): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const release = host.interrupts.take(['SIGINT', 'SIGTERM'], (signal) => {
      release()
      resolve(signal)
    })
  })
}
