package needs

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// probe is a test that notes how it ended.
type probe struct {
	testing.TB
	skipped, failed string
}

func (p *probe) Helper()                   {}
func (p *probe) Skipf(f string, a ...any)  { p.skipped = fmt.Sprintf(f, a...); runtime.Goexit() }
func (p *probe) Fatalf(f string, a ...any) { p.failed = fmt.Sprintf(f, a...); runtime.Goexit() }

// run calls Tool as a test of its own would.
func run(t *testing.T, name string) (p *probe, path string) {
	p = &probe{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		path = Tool(p, name)
	}()
	<-done
	return p, path
}

// install puts an executable script into the search path, alone.
func install(t *testing.T, name, script string) string {
	dir := t.TempDir()
	file := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(file, []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	t.Setenv("PATH", dir)
	return file
}

func TestToolPresent(t *testing.T) {
	file := install(t, "tshark", "exit 0")
	p, path := run(t, "tshark")
	require.Equal(t, file, path)
	require.Empty(t, p.skipped+p.failed)
}

func TestToolMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, c := range []struct{ require, skipped, failed string }{
		{"", "needs frobnicator: none of frobnicator is in the search path", ""},
		{"tshark", "needs frobnicator: none of frobnicator is in the search path", ""},
		{"frobnicators", "needs frobnicator: none of frobnicator is in the search path", ""},
		{"frobnicator", "", `needs: IPSECLAB_REQUIRE demands "frobnicator": none of frobnicator is in the search path`},
		{"tshark, frobnicator", "", `needs: IPSECLAB_REQUIRE demands "frobnicator": none of frobnicator is in the search path`},
	} {
		t.Setenv(Variable, c.require)
		p, path := run(t, "frobnicator")
		require.Equal(t, c.skipped, p.skipped, c.require)
		require.Equal(t, c.failed, p.failed, c.require)
		require.Empty(t, path)
	}
}

func TestBrowserByAnyName(t *testing.T) {
	file := install(t, "google-chrome", "exit 0")
	_, path := run(t, "chromium")
	require.Equal(t, file, path)
}

func TestScapyNeedsItsInterpreter(t *testing.T) {
	file := install(t, "python3", `[ "$2" = "import scapy" ]`)
	_, path := run(t, "scapy")
	require.Equal(t, file, path)
}

func TestModuleThatNoInterpreterHas(t *testing.T) {
	install(t, "python3", "exit 1")
	path, missing := python("no_module_of_this_name")
	require.Empty(t, path)
	require.Contains(t, missing, "cannot import no_module_of_this_name")
}
