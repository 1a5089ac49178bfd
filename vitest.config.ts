import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{engine,modules,links,packs,tools,apps,web,portals,e2e}/**/*.test.ts'],
    globalSetup: ['engine/testing/src/global-setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 90_000,
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
  },
})
