package images

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

const maxLine = 1 << 20 // octets of a line in a control file

// stanzas reads the paragraphs of a control file (Debian policy, 5.1) and hands
// over the wanted fields of each, by their names in lower case. Lines that
// continue a field are kept with their line ends.
func stanzas(r io.Reader, wanted []string, each func(map[string]string) error) error {
	want := map[string]bool{}
	for _, w := range wanted {
		want[strings.ToLower(w)] = true
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 1<<16), maxLine)
	fields, last, some := map[string]string{}, "", false
	flush := func() error {
		if !some {
			return nil
		}
		err := each(fields)
		fields, last, some = map[string]string{}, "", false
		return err
	}
	n := 0
	for lines.Scan() {
		n++
		line := lines.Text()
		switch {
		case strings.TrimRight(line, " \t\r") == "":
			if err := flush(); err != nil {
				return err
			}
		case line[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			if !some {
				return fmt.Errorf("line %d: it continues a field, and there is none", n)
			}
			if last != "" {
				fields[last] += "\n" + strings.TrimSpace(line)
			}
		default:
			name, value, ok := strings.Cut(line, ":")
			if !ok || name == "" || strings.ContainsAny(name, " \t") {
				return fmt.Errorf("line %d: it is no field, and continues none", n)
			}
			some, last = true, strings.ToLower(name)
			if !want[last] {
				last = ""
				continue
			}
			if _, twice := fields[last]; twice {
				return fmt.Errorf("line %d: field %s is there twice", n, name)
			}
			fields[last] = strings.TrimSpace(value)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d: %w", n+1, err)
	}
	return flush()
}
