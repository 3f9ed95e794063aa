package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write what scripts want, and the published schemas, anew")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"ipseclab":      main,
		"ipseclab-fake": func() { fakeCells(); main() }, // see fakeRunner
		"echo-request":  echo,
	})
}

// TestScript runs testdata/script/*.txtar against the real command. Beside the
// commands of testscript there are
//
//	exits N command…      the command ends with exit code N
//	interrupted [-after text] command…
//	                      the command gets SIGINT after its first line of output, or the first with the text, and ends with 130;
//	                      what it wrote is in interrupted.txt and interrupted-stderr.txt
//	size file bytes       makes a file of that size
//	same file file        both are the same matrix.json, but for how long things took
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "interrupted": interrupted, "size": size, "same": same,
		},
		RequireExplicitExec: true,
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits N command args…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := exitCode(ts, ts.Exec(args[1], args[2:]...)); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func exitCode(ts *testscript.TestScript, err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

func interrupted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: interrupted [-after text] command args…")
	}
	after := ""
	if args[0] == "-after" && len(args) > 2 {
		after, args = args[1], args[2:]
	}
	path, err := lookPath(ts, args[0])
	ts.Check(err)
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), append(os.Environ(), "HOME="+ts.Getenv("WORK"), "FAKE="+ts.Getenv("FAKE"), "FAKE_DRIVERS="+ts.Getenv("FAKE_DRIVERS"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	var text bytes.Buffer
	sent := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if !sent && strings.Contains(lines.Text(), after) {
			sent = true
			ts.Check(cmd.Process.Signal(os.Interrupt))
		}
		text.WriteString(lines.Text() + "\n")
	}
	code := exitCode(ts, cmd.Wait())
	ts.Logf("[stdout]\n%s[stderr]\n%s", &text, &stderr)
	if code != exitInterrupted {
		ts.Fatalf("exit code %d, want %d", code, exitInterrupted)
	}
	ts.Check(os.WriteFile(ts.MkAbs("interrupted.txt"), text.Bytes(), 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("interrupted-stderr.txt"), stderr.Bytes(), 0o644))
}

// lookPath finds a command in the PATH of the script.
func lookPath(ts *testscript.TestScript, name string) (string, error) {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", exec.ErrNotFound
}

func size(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: size file bytes")
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	name := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(name, nil, 0o644))
	ts.Check(os.Truncate(name, n))
}

// durations are what differs between two runs of the same.
var durations = regexp.MustCompile(`"(started|wall_ns)": [^\n]*`)

func same(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: same file file")
	}
	a, b := durations.ReplaceAllString(ts.ReadFile(args[0]), "$1"), durations.ReplaceAllString(ts.ReadFile(args[1]), "$1")
	if a != b {
		ts.Fatalf("%s and %s differ:\n%s\n%s", args[0], args[1], a, b)
	}
}
