import { createTheme, type MantineColorsTuple } from '@mantine/core'

const teal: MantineColorsTuple = ['#e6f7f5', '#cdeeea', '#9bdcd4', '#66c9bd', '#3db8aa', '#1aa093', '#0f766e', '#0b655e', '#08554f', '#054540']

// The darkest is text on white and on the palest (5:1); Mantine's own is 4.3:1.
const orange: MantineColorsTuple = ['#fff4e6', '#ffe8cc', '#ffd8a8', '#ffc078', '#ffa94d', '#ff922b', '#fd7e14', '#f76707', '#c9480a', '#a83a08']

/** Accents of the portals, dark enough for white text on them (4.5:1). */
export const portalColors: Readonly<Record<string, string>> = {
  hub: 'blue.8',
  patient: 'grape.8',
  provider: 'teal.6',
  admin: 'dark.6',
  lab: 'indigo.8',
  pharmacy: 'cyan.9',
  billing: 'orange.9',
  radiology: 'violet.8',
  nurse: 'pink.8',
  it: 'gray.8',
}

export const theme = createTheme({
  primaryColor: 'teal',
  primaryShade: { light: 6, dark: 4 },
  colors: { teal, orange },
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
