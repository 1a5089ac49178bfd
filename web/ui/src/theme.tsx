import { createTheme, type MantineColorsTuple } from '@mantine/core'

const teal: MantineColorsTuple = ['#e6f7f5', '#cdeeea', '#9bdcd4', '#66c9bd', '#3db8aa', '#1aa093', '#0f766e', '#0b655e', '#08554f', '#054540']

// What a value or a state says about a patient. Of each, the seventh is text on white and ground for white text (both
// 5:1 and more), the third and the fifth are text on dark.
const critical: MantineColorsTuple = ['#fff5f5', '#ffe3e3', '#ffc9c9', '#ffa8a8', '#ff8787', '#e03131', '#c92a2a', '#b02525', '#962020', '#7d1a1a']
const abnormal: MantineColorsTuple = ['#fff4e6', '#ffe8cc', '#ffd8a8', '#ffc078', '#ffa94d', '#c9480a', '#a83a08', '#943306', '#7d2b05', '#662304']
const calm: MantineColorsTuple = ['#f8f9fa', '#f1f3f5', '#e9ecef', '#dee2e6', '#ced4da', '#6b737b', '#495057', '#3f454b', '#343a40', '#212529']

/** Accents of the portals, dark enough for white text on them (4.5:1). */
export const portalColors: Readonly<Record<string, string>> = {
  hub: 'blue.8',
  patient: 'grape.8',
  provider: 'teal.6',
  admin: 'dark.6',
  lab: 'indigo.8',
  pharmacy: 'cyan.9',
  billing: 'abnormal.6',
  radiology: 'violet.8',
  nurse: 'pink.8',
  it: 'gray.8',
}

export const theme = createTheme({
  primaryColor: 'teal',
  primaryShade: 6,
  colors: { teal, critical, abnormal, calm },
  fontFamily: 'system-ui, -apple-system, "Segoe UI", "Noto Sans", "Noto Sans Arabic", "Noto Kufi Arabic", Tahoma, sans-serif',
  defaultRadius: 'md',
  fontSizes: { xs: '0.78rem', sm: '0.86rem', md: '0.94rem', lg: '1.06rem', xl: '1.25rem' },
  cursorType: 'pointer',
  autoContrast: true,
  components: {
    Table: { defaultProps: { verticalSpacing: 6 } },
    // Without the small offset that Latin capitals want, which lowers Arabic letters and rows of badges.
    Badge: { styles: { root: { verticalAlign: 'middle', flexShrink: 0 }, label: { lineHeight: 1.6 } }, defaultProps: { tt: 'none' } },
    Button: { defaultProps: { size: 'sm' } },
    Paper: { defaultProps: { withBorder: true, p: 'md' } },
    // Their content is a Paper, whose own padding would come on top.
    ModalContent: { defaultProps: { p: 0 } },
    DrawerContent: { defaultProps: { p: 0 } },
  },
})
