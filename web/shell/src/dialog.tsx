import { Modal } from '@mantine/core'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

/** Something to do before one goes on: its title, a way out, and the focus kept inside. */
export function Dialog({ opened, onClose, title, size, children }: { opened: boolean; onClose(): void; title: string; size?: 'md' | 'lg' | 'xl'; children: ReactNode }) {
  const { t } = useTranslation()
  return (
    <Modal opened={opened} onClose={onClose} title={title} size={size ?? 'md'} centered closeButtonProps={{ 'aria-label': t('common.close') }} styles={{ title: { fontWeight: 700, fontSize: 'var(--mantine-font-size-lg)' } }}>
      {children}
    </Modal>
  )
}
