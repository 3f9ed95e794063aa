package scans_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/needs"
	"github.com/ipseclab/ipseclab/interop/images"
)

// knowledge is what ike-scan knows, from the two files of its image.
type knowledge struct {
	patterns []pattern
	vendors  []vendor
}

// pattern is when an implementation repeats its answer.
type pattern struct {
	name string
	gaps []gap
}

// gap is a time between two packets, and how far what is measured may be from it.
type gap struct{ length, fuzz time.Duration }

// vendor is what vendor IDs of an implementation look like, in hexadecimal.
type vendor struct {
	name string
	form *regexp.Regexp
}

// defaultFuzz is that of gaps without one of their own: ike-scan --help, option --fuzz.
const defaultFuzz = 500 * time.Millisecond

// ikeScan reads the files of the image, as their comments say that they are made.
func ikeScan(t *testing.T) (k knowledge) {
	t.Helper()
	store, err := images.Open("")
	require.NoError(t, err)
	root, _, err := store.Rootfs("ike-scan")
	if err != nil {
		needs.Missing(t, "images", err.Error())
	}
	for name, value := range lines(t, root, "ike-backoff-patterns") {
		k.patterns = append(k.patterns, parsePattern(t, name, value))
	}
	for name, value := range lines(t, root, "ike-vendor-ids") {
		form, err := regexp.CompilePOSIX("(" + strings.ToLower(value) + ")")
		require.NoError(t, err, name)
		k.vendors = append(k.vendors, vendor{name, form})
	}
	require.Greater(t, len(k.patterns), 30)
	require.Greater(t, len(k.vendors), 300)
	return k
}

// lines are those of a file of ike-scan that say something: a name, a tab or more, and what goes with it.
func lines(t *testing.T, root, name string) func(yield func(string, string) bool) {
	t.Helper()
	f, err := os.Open(filepath.Join(root, "usr/share/ike-scan", name))
	require.NoError(t, err)
	return func(yield func(string, string) bool) {
		defer f.Close()
		in := bufio.NewScanner(f)
		for in.Scan() {
			line := in.Text()
			if name, value, ok := strings.Cut(line, "\t"); ok && !strings.HasPrefix(line, "#") && !yield(name, strings.TrimSpace(value)) {
				return
			}
		}
		require.NoError(t, in.Err())
	}
}

// parsePattern reads seconds with commas between them, each perhaps with a slash and its fuzz in milliseconds.
// The first one is that of the first packet, and 0.
func parsePattern(t *testing.T, name, text string) pattern {
	t.Helper()
	p := pattern{name: name}
	for i, field := range strings.Split(text, ",") {
		seconds, fuzz, own := strings.Cut(strings.TrimSpace(field), "/")
		length, err := time.ParseDuration(seconds + "s")
		require.NoError(t, err, name)
		g := gap{length, defaultFuzz}
		if own {
			ms, err := strconv.Atoi(fuzz)
			require.NoError(t, err, name)
			g.fuzz = time.Duration(ms) * time.Millisecond
		}
		if i > 0 {
			p.gaps = append(p.gaps, g)
		}
	}
	return p
}

// guess is the first implementation that repeats its answer so often and at these times.
func (k knowledge) guess(gaps []time.Duration) string {
	for _, p := range k.patterns {
		if p.matches(gaps) {
			return p.name
		}
	}
	return "UNKNOWN"
}

func (p pattern) matches(gaps []time.Duration) bool {
	if len(gaps) != len(p.gaps) {
		return false
	}
	for i, g := range p.gaps {
		if (gaps[i] - g.length).Abs() > g.fuzz {
			return false
		}
	}
	return true
}

// vendor is the first implementation that a vendor ID is of, "" if it knows none.
func (k knowledge) vendor(id string) string {
	for _, v := range k.vendors {
		if v.form.MatchString(id) {
			return v.name
		}
	}
	return ""
}

// prints are the lines of its output about a host, as far as the scenario looks at them.
func (k knowledge) prints(address string, a answers) string {
	line := address + "\tMain Mode Handshake returned HDR SA"
	for _, id := range a.vendors {
		line += " VID=" + id
		if name := k.vendor(id); name != "" {
			line += " (" + name + ")"
		}
	}
	return fmt.Sprintf("%s\n%s\tImplementation guess: %s\n", line, address, k.guess(a.gaps))
}

// The files are read as ike-scan reads them: these are lines of each form.
func TestIKEScanFiles(t *testing.T) {
	k := ikeScan(t)
	s := time.Second
	for want, gaps := range map[string][]time.Duration{
		"Windows 2000, 2003 or XP": {s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s},
		"Windows-2003":             {1600 * time.Millisecond, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s}, // more fuzz
		"Sun Solaris":              {900 * time.Millisecond, s, 2 * s, 4 * s, 8 * s},
		"Linksys Etherfast":        nil,
		"UNKNOWN":                  {s},
	} {
		require.Equal(t, want, k.guess(gaps))
	}
	for id, want := range map[string]string{
		"1e2b516905991c7d7c96fcbfb587e46100000003": "Windows-XP-SP1",
		"1e2b516905991c7d7c96fcbfb587e46100000009": "Windows-8", // of a line with two tabs
		"4f4500112233445566778899":                 "FreeS/WAN or OpenSWAN",
		"72872b95fcda2eb708efe322119b4971":         "NLBS_PRESENT", // in capitals in the file
		"00":                                       "",
	} {
		require.Equal(t, want, k.vendor(id), id)
	}
}
