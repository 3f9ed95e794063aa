// Package needs lets a test use a tool that a machine may lack: the test skips
// and says what is missing, unless the run demands the tool.
//
// A run demands tools by naming them in the environment variable
// IPSECLAB_REQUIRE, separated by commas ("tshark,scapy"); a test that needs one
// of them then fails where it would have skipped.
package needs

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Variable is the environment variable that lists the tools a run demands.
const Variable = "IPSECLAB_REQUIRE"

// finders hold the tools that are not simply a program of their own name.
var finders = map[string]func() (path, missing string){
	"chromium": func() (string, string) {
		return first("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell")
	},
	"scapy":     func() (string, string) { return python("scapy") },
	"namespace": namespace,
}

// Tool is the path of a tool's program. When the machine has none, the test is
// skipped with the reason, or fails if the run demands the tool.
//
// Names are "tshark", "chromium" (or a browser of its family), "scapy" (the
// path is that of a Python interpreter that can import it), "namespace" (unshare, on a machine
// that lets the test make Linux namespaces), or any program that is looked for in the search path.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, missing := find(name)
	if missing == "" {
		return path
	}
	Missing(t, name, missing)
	return ""
}

// Missing is for a test that finds by itself what a tool lacks: the test is skipped with the
// reason, or fails if the run demands the tool.
func Missing(t testing.TB, name, why string) {
	t.Helper()
	if demanded(os.Getenv(Variable), name) {
		t.Fatalf("needs: %s demands %q: %s", Variable, name, why)
	}
	t.Skipf("needs %s: %s", name, why)
}

func find(name string) (path, missing string) {
	if f, ok := finders[name]; ok {
		return f()
	}
	return first(name)
}

// demanded reports whether the list, as the environment holds it, names the tool.
func demanded(list, name string) bool {
	return slices.ContainsFunc(strings.Split(list, ","), func(s string) bool { return strings.TrimSpace(s) == name })
}

// first finds the first of several programs.
func first(programs ...string) (path, missing string) {
	for _, p := range programs {
		if path, err := exec.LookPath(p); err == nil {
			return path, ""
		}
	}
	return "", "none of " + strings.Join(programs, ", ") + " is in the search path"
}

// python finds an interpreter that can import the module. The system's own is
// asked too, because distributions install modules for that one only.
func python(module string) (path, missing string) {
	var asked []string
	for _, p := range []string{"python3", "/usr/bin/python3"} {
		path, err := exec.LookPath(p)
		if err != nil {
			continue
		}
		if exec.Command(path, "-c", "import "+module).Run() == nil {
			return path, ""
		}
		asked = append(asked, path)
	}
	if asked == nil {
		return "", "there is no python3"
	}
	return "", strings.Join(asked, " and ") + " cannot import " + module
}

// namespace finds the program that makes namespaces, and whether it may.
func namespace() (path, missing string) {
	path, missing = first("unshare")
	if missing != "" {
		return "", missing
	}
	if out, err := exec.Command(path, "--net", "--mount", "--pid", "--fork", "true").CombinedOutput(); err != nil {
		return "", fmt.Sprintf("unshare cannot make namespaces (%v): %s", err, strings.TrimSpace(string(out)))
	}
	return path, ""
}
