import type { CommandGroup } from '../spec.js'

/** `keymux vault`: the vault itself. */
export const vault: CommandGroup = {
  defaultSubcommand: 'status',
  subcommands: [
    {
      name: 'status',
      summary: 'where it is, what opens it, what is in it',
      load: async () => (await import('./vault-status.js')).vaultStatus,
    },
    {
      name: 'passwd',
      summary: 'change the passphrase',
      load: async () => (await import('./vault-passwd.js')).vaultPasswd,
    },
    {
      name: 'slots',
      summary: 'list what opens it',
      load: async () => (await import('./vault-slots.js')).vaultSlots,
    },
    {
      name: 'add-slot',
      summary: 'let another passphrase or key file open it',
      load: async () => (await import('./vault-add-slot.js')).vaultAddSlot,
    },
    {
      name: 'remove-slot',
      summary: 'let a passphrase or key file open it no more',
      load: async () => (await import('./vault-remove-slot.js')).vaultRemoveSlot,
    },
    {
      name: 'rotate',
      summary: 'make its keys anew, and seal everything under them',
      load: async () => (await import('./vault-rotate.js')).vaultRotate,
    },
    {
      name: 'check',
      summary: 'look for damage and tampering',
      load: async () => (await import('./vault-check.js')).vaultCheck,
    },
    {
      name: 'backup',
      summary: 'copy the vault into a new file',
      load: async () => (await import('./vault-backup.js')).vaultBackup,
    },
    {
      name: 'restore',
      summary: 'put a copy in the place of the vault',
      load: async () => (await import('./vault-restore.js')).vaultRestore,
    },
  ],
  examples: [
    { line: 'keymux vault', does: 'where it is and what opens it' },
    { line: 'keymux vault passwd', does: 'changes the passphrase' },
    { line: 'keymux vault backup ~/keymux-backup.db', does: 'copies it, while others go on using it' },
  ],
}
