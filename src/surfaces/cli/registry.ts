import type { CommandEntry } from './spec.js'

/**
 * The table of contents: every command, in the order of the overview. Its file is loaded only when the
 * command is run, explained or completed.
 */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'init',
    summary: 'create the vault',
    section: 'Start',
    load: async () => (await import('./commands/init.js')).init,
  },
  {
    name: 'add',
    summary: 'add an account, or replace its key',
    section: 'Accounts',
    load: async () => (await import('./commands/add.js')).add,
  },
  {
    name: 'list',
    summary: 'list accounts and their state',
    section: 'Accounts',
    load: async () => (await import('./commands/list.js')).list,
  },
  {
    name: 'show',
    summary: 'show everything about one account',
    section: 'Accounts',
    load: async () => (await import('./commands/show.js')).show,
  },
  {
    name: 'remove',
    summary: 'delete accounts',
    section: 'Accounts',
    load: async () => (await import('./commands/remove.js')).remove,
  },
  {
    name: 'enable',
    summary: 'switch accounts on',
    section: 'Accounts',
    load: async () => (await import('./commands/enable.js')).enable,
  },
  {
    name: 'disable',
    summary: 'switch accounts off',
    section: 'Accounts',
    load: async () => (await import('./commands/disable.js')).disable,
  },
  {
    name: 'priority',
    summary: 'say which account goes first',
    section: 'Accounts',
    load: async () => (await import('./commands/priority.js')).priority,
  },
  {
    name: 'rename',
    summary: 'give an account another name',
    section: 'Accounts',
    load: async () => (await import('./commands/rename.js')).rename,
  },
  {
    name: 'test',
    summary: 'check whether accounts work',
    section: 'Accounts',
    load: async () => (await import('./commands/test.js')).test,
  },
  {
    name: 'login',
    summary: 'log in to an account in the browser',
    section: 'Accounts',
    load: async () => (await import('./commands/login.js')).login,
  },
  {
    name: 'logout',
    summary: 'end a login',
    section: 'Accounts',
    load: async () => (await import('./commands/logout.js')).logout,
  },
  {
    name: 'refresh',
    summary: "renew a login's token now",
    section: 'Accounts',
    load: async () => (await import('./commands/refresh.js')).refresh,
  },
  {
    name: 'status',
    summary: 'see who is usable now, and who is back when',
    section: 'Use',
    load: async () => (await import('./commands/status.js')).status,
  },
  {
    name: 'resolve',
    summary: 'print a credential that works now',
    section: 'Use',
    load: async () => (await import('./commands/resolve.js')).resolve,
  },
  {
    name: 'exec',
    summary: 'run a program with working credentials',
    section: 'Use',
    load: async () => (await import('./commands/exec.js')).exec,
  },
  {
    name: 'env',
    summary: 'print credentials as environment variables',
    section: 'Use',
    load: async () => (await import('./commands/env.js')).env,
  },
  {
    name: 'serve',
    summary: 'forward requests with failover: a local gateway',
    section: 'Use',
    load: async () => (await import('./commands/serve.js')).serve,
  },
  {
    name: 'report',
    summary: 'tell how a request went',
    section: 'Use',
    load: async () => (await import('./commands/report.js')).report,
  },
  {
    name: 'reset',
    summary: 'lift cooldowns and disables',
    section: 'Use',
    load: async () => (await import('./commands/reset.js')).reset,
  },
  {
    name: 'vault',
    summary: 'look after the vault: slots, passphrase, backup',
    section: 'Vault',
    load: async () => (await import('./commands/vault.js')).vault,
  },
  {
    name: 'secret',
    summary: 'keep plain named secrets',
    section: 'Vault',
    load: async () => (await import('./commands/secret.js')).secret,
  },
  {
    name: 'audit',
    summary: 'read who did what to the vault',
    section: 'Vault',
    load: async () => (await import('./commands/audit.js')).audit,
  },
  {
    name: 'import',
    summary: 'take over credentials from other tools',
    section: 'Exchange',
    load: async () => (await import('./commands/import.js')).import_,
  },
  {
    name: 'export',
    summary: 'write a backup of all accounts',
    section: 'Exchange',
    load: async () => (await import('./commands/export.js')).export_,
  },
  {
    name: 'providers',
    summary: 'list providers, declare your own',
    section: 'Set-up',
    load: async () => (await import('./commands/providers.js')).providers,
  },
  {
    name: 'config',
    summary: 'look at the configuration',
    section: 'Set-up',
    load: async () => (await import('./commands/config.js')).config,
  },
  {
    name: 'doctor',
    summary: 'check the installation and say what to mend',
    section: 'Set-up',
    load: async () => (await import('./commands/doctor.js')).doctor,
  },
  {
    name: 'explain-failure',
    summary: 'say what an answer of a provider is taken for, and why',
    section: 'Set-up',
    load: async () => (await import('./commands/explain-failure.js')).explainFailure,
  },
  {
    name: 'completion',
    summary: 'print a completion script for your shell',
    section: 'Set-up',
    load: async () => (await import('./commands/completion.js')).completion,
  },
]
