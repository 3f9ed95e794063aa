package swan

import (
	"fmt"
	"strings"

	"github.com/strongswan/govici/vici"
)

// Section is a named group of settings in their order. It is written as text
// ([Section.Text]) or sent as a message ([Section.Message]): what a daemon reads from a file and
// what it is told over vici come from the same tree.
type Section struct {
	Name  string
	Items []Item
}

// Item is a *Section, a Value, a List or Files.
type Item interface{ item() }

// Value is a setting with one value.
type Value struct{ Key, Text string }

// List is a setting with several; none of them has a comma.
type List struct {
	Key  string
	Each []string
}

// Files are a setting with contents of files: text names them, a message has them within.
type Files struct {
	Key  string
	Each []File
}

// File is a file below the directory of swanctl, such as x509ca/root.der.
type File struct {
	Directory, Name string
	Data            []byte
}

func (*Section) item() {}
func (Value) item()    {}
func (List) item()     {}
func (Files) item()    {}

// set adds a value.
func (s *Section) set(key, format string, args ...any) {
	s.Items = append(s.Items, Value{key, fmt.Sprintf(format, args...)})
}

// list adds a list.
func (s *Section) list(key string, each ...string) { s.Items = append(s.Items, List{key, each}) }

// section adds a section and gives it.
func (s *Section) section(name string) *Section {
	sub := &Section{Name: name}
	s.Items = append(s.Items, sub)
	return sub
}

// Text is the tree as strongswan.conf and swanctl.conf have it: strongswan.conf(5).
func (s *Section) Text() string {
	var b strings.Builder
	s.write(&b, "")
	return b.String()
}

func (s *Section) write(b *strings.Builder, indent string) {
	for _, i := range s.Items {
		switch i := i.(type) {
		case *Section:
			fmt.Fprintf(b, "%s%s {\n", indent, i.Name)
			i.write(b, indent+"  ")
			fmt.Fprintf(b, "%s}\n", indent)
		case Value:
			fmt.Fprintf(b, "%s%s = %s\n", indent, i.Key, quote(i.Text))
		case List:
			fmt.Fprintf(b, "%s%s = %s\n", indent, i.Key, quote(strings.Join(i.Each, ", ")))
		case Files:
			var names []string
			for _, f := range i.Each {
				names = append(names, f.Name)
			}
			fmt.Fprintf(b, "%s%s = %s\n", indent, i.Key, quote(strings.Join(names, ", ")))
		}
	}
}

// quote puts a value in quotes if it has what ends a bare one.
func quote(s string) string {
	bare := s != "" && s[0] != ' ' && s[len(s)-1] != ' '
	for i := range len(s) {
		bare = bare && (s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z' || s[i] >= '0' && s[i] <= '9' || strings.IndexByte("-_.:/%[], *!+", s[i]) >= 0)
	}
	if bare {
		return s
	}
	r := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`)
	return `"` + r.Replace(s) + `"`
}

// Message is the tree as a message of vici.
func (s *Section) Message() (*vici.Message, error) {
	m := vici.NewMessage()
	for _, i := range s.Items {
		var key string
		var value any
		switch i := i.(type) {
		case *Section:
			sub, err := i.Message()
			if err != nil {
				return nil, err
			}
			key, value = i.Name, sub
		case Value:
			key, value = i.Key, i.Text
		case List:
			key, value = i.Key, i.Each
		case Files:
			var contents []string
			for _, f := range i.Each {
				contents = append(contents, string(f.Data))
			}
			key, value = i.Key, contents
		}
		if len(key) > 255 {
			return nil, fmt.Errorf("swan: the name %.20q… has %d bytes, and vici takes 255", key, len(key))
		}
		if m.Get(key) != nil {
			return nil, fmt.Errorf("swan: section %s has %s twice", s.Name, key)
		}
		if err := m.Set(key, value); err != nil {
			return nil, fmt.Errorf("swan: %s: %w", key, err)
		}
	}
	return m, nil
}
