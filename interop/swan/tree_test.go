package swan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawTree makes any tree whose names are different.
func drawTree(t *rapid.T, depth int) *Section {
	s := &Section{}
	text := rapid.StringOf(rapid.OneOf(rapid.RuneFrom([]rune("ab09 .:/%[]{}#=\"\\\n\t,;'-_é")), rapid.Rune()))
	for i := range rapid.IntRange(0, 4).Draw(t, "items") {
		name := fmt.Sprintf("%s%d", rapid.StringMatching(`[a-z_-]{1,8}`).Draw(t, "name"), i)
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			s.set(name, "%s", strings.ReplaceAll(text.Draw(t, "value"), "\x00", ""))
		case 1:
			s.list(name, rapid.SliceOfN(rapid.StringMatching(`[a-z0-9./\[\]%-]{1,9}`), 1, 3).Draw(t, "list")...)
		case 2:
			s.Items = append(s.Items, Files{name, []File{{"x509", "own.der", []byte("own.der")}}})
		case 3:
			if depth > 0 {
				sub := drawTree(t, depth-1)
				sub.Name = name
				s.Items = append(s.Items, sub)
			}
		}
	}
	return s
}

// flat is a tree as lines of paths and values.
func flat(s *Section) (all []string) {
	for _, i := range s.Items {
		switch i := i.(type) {
		case Value:
			all = append(all, i.Key+"="+i.Text)
		case List:
			all = append(all, i.Key+"="+strings.Join(i.Each, ", "))
		case Files:
			all = append(all, i.Key+"="+i.Each[0].Name)
		case *Section:
			for _, line := range flat(i) {
				all = append(all, i.Name+"."+line)
			}
		}
	}
	return all
}

// What is written reads as it was meant, by a reader that follows strongswan.conf(5) and shares nothing with the writer.
func TestText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := drawTree(t, 3)
		got, rest, err := readConf(tree.Text(), "")
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Equal(t, flat(tree), got)
	})
}

// readConf reads settings until the end or a closing brace.
func readConf(text, path string) (all []string, rest string, err error) {
	for {
		text = strings.TrimLeft(text, " \t\n")
		if text == "" || text[0] == '}' {
			return all, strings.TrimPrefix(text, "}"), nil
		}
		end := strings.IndexAny(text, "={ \t\n")
		if end < 0 {
			return nil, "", fmt.Errorf("a name without anything: %q", text)
		}
		name := text[:end]
		switch text = strings.TrimLeft(text[end:], " \t"); {
		case strings.HasPrefix(text, "{"):
			var sub []string
			if sub, text, err = readConf(text[1:], path+name+"."); err != nil {
				return nil, "", err
			}
			all = append(all, sub...)
		case strings.HasPrefix(text, "="):
			var value string
			if value, text, err = readValue(strings.TrimLeft(text[1:], " \t")); err != nil {
				return nil, "", err
			}
			all = append(all, path+name+"="+value)
		default:
			return nil, "", fmt.Errorf("%q is neither a section nor a value", name)
		}
	}
}

// readValue reads a bare value, which ends with the line, a comment or a brace, or one in quotes.
func readValue(text string) (value, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, "\n#{}")
		if end < 0 {
			end = len(text)
		}
		return strings.TrimRight(text[:end], " \t"), text[end:], nil
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			return b.String(), text[i+1:], nil
		case '\\':
			if i++; i == len(text) {
				return "", "", fmt.Errorf("a backslash at the end")
			}
			if escaped := map[byte]byte{'n': '\n', 'r': '\r', 't': '\t'}[text[i]]; escaped != 0 {
				b.WriteByte(escaped)
			} else {
				b.WriteByte(text[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", "", fmt.Errorf("quotes without an end")
}

func TestMessageMistakes(t *testing.T) {
	twice := &Section{Name: "x", Items: []Item{Value{"a", "1"}, Value{"a", "2"}}}
	_, err := twice.Message()
	require.ErrorContains(t, err, "section x has a twice")
	long := &Section{Items: []Item{&Section{Name: strings.Repeat("n", 256)}}}
	_, err = long.Message()
	require.ErrorContains(t, err, "256 bytes")
}
