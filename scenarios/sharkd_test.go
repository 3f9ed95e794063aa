//go:build unix

package scenarios_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sharkds read captures as tshark does, and faster: sharkd, the daemon of Wireshark, makes its
// dissectors once and forks for each capture. What it reads of a profile when it starts is the
// same for nearly all profiles, so that few daemons do; the tables of keys it is told for each capture.
type sharkds struct {
	t       *testing.T // with which the daemons end
	program string
	mu      sync.Mutex
	sockets map[string]string // by what the daemon has read: preferences, and protocols that are off
}

func newSharkds(t *testing.T, program string) *sharkds {
	return &sharkds{t: t, program: program, sockets: map[string]string{}}
}

// patience is how long a session may take for a capture.
const patience = 2 * time.Minute

// dissect is a reader.
func (s *sharkds) dissect(t *testing.T, profile, capture string, more settings) []map[string]string {
	t.Helper()
	read := map[string]string{} // by file
	entries, err := os.ReadDir(profile)
	require.NoError(t, err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(profile, e.Name()))
		require.NoError(t, err)
		read[e.Name()] = string(b)
	}
	delete(read, "README.txt")
	preferences := read["preferences"] + strings.Join(more.preferences, "\n") + "\n" + columns()
	disabled := read["disabled_protos"] + strings.Join(more.disabled, "\n") + "\n"
	delete(read, "preferences")
	delete(read, "disabled_protos")

	socket, log := s.daemon(t, preferences, disabled)
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatalf("sharkd does not listen any more: %v\n%s", err, lastLines(log))
	}
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	c := session{t: t, conn: conn, answers: json.NewDecoder(conn), log: log}
	for _, table := range slices.Sorted(maps.Keys(read)) { // each other file of a profile is one
		for line := range strings.Lines(read[table]) {
			if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, "#") {
				c.ask("setconf", map[string]string{"name": "uat", "value": table + ":" + line})
			}
		}
	}
	c.ask("load", map[string]string{"file": capture})
	var frames []struct {
		Columns []string `json:"c"`
	}
	require.NoError(t, json.Unmarshal(c.ask("frames", map[string]string{}), &frames))
	rows := make([]map[string]string, len(frames))
	for i, f := range frames {
		require.Len(t, f.Columns, len(dissected))
		rows[i] = map[string]string{}
		for n, field := range dissected {
			v := f.Columns[n]
			if strings.HasSuffix(field, ".checksum.status") {
				if v = checksumStatus.Replace(v); strings.Trim(v, "01234,") != "" {
					t.Fatalf("frame %d: %s is %q, which is none of the words that the test knows", i+1, field, f.Columns[n])
				}
			}
			rows[i][field] = v
		}
	}
	return rows
}

// columns is the preference for columns with the values of the fields: unresolved, as tshark writes them,
// but for a comment, which would be in quotes then.
func columns() string {
	var b strings.Builder
	for i, field := range dissected {
		form := "U"
		if field == "frame.comment" {
			form = "R"
		}
		fmt.Fprintf(&b, "%s\"%s\", \"%%Cus:%s:0:%s\"", []string{"gui.column.format: ", ", "}[min(i, 1)], field, field, form)
	}
	return b.String() + "\n"
}

// checksumStatus puts numbers for the words of a column, which has no others.
var checksumStatus = strings.NewReplacer(`"`, "", "Bad", "0", "Good", "1", "Unverified", "2", "Not present", "3", "Illegal", "4")

// daemon is the socket of a daemon that has read these files, and its log. It is started if there is none.
func (s *sharkds) daemon(t *testing.T, preferences, disabled string) (socket, log string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	key := preferences + "\x00" + disabled
	if s.sockets[key] == "" {
		s.sockets[key] = s.start(t, preferences, disabled)
	}
	return s.sockets[key], filepath.Join(filepath.Dir(s.sockets[key]), "log")
}

func (s *sharkds) start(t *testing.T, preferences, disabled string) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sharkd") // short: the name of a socket has 100 characters
	require.NoError(t, err)
	s.t.Cleanup(func() { os.RemoveAll(dir) })
	for file, content := range map[string]string{
		"preferences": preferences, "disabled_protos": disabled,
		"colorfilters": "", // or each frame is held against those that come with Wireshark
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(content), 0o666))
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	defer log.Close()
	// The daemon leaves its parent, and stays in its process group, all of which ends when the shell
	// has nothing more to read: also when the test is killed. In this form of its command line it
	// does not wait for its children.
	socket = filepath.Join(dir, "socket")
	cmd := exec.Command("sh", "-c", `"$1" "unix:$2" && echo listening && read -r _; kill 0`, "sh", s.program, socket)
	cmd.Env = append(os.Environ(), wiresharkProfile+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = log
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	s.t.Cleanup(func() {
		stdin.Close()
		io.Copy(io.Discard, stdout) // until the daemon has let go of it
		cmd.Wait()                  // the shell too ends by the signal
	})
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatalf("sharkd does not listen\n%s", lastLines(log.Name()))
	}
	return socket
}

// session is the child of a daemon that reads one capture.
type session struct {
	t       *testing.T
	conn    net.Conn
	answers *json.Decoder
	asked   int
	log     string
}

// ask is the result of a request. What goes wrong fails the test.
func (c *session) ask(method string, parameters map[string]string) json.RawMessage {
	c.t.Helper()
	c.asked++
	request, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": c.asked, "method": method, "params": parameters})
	require.NoError(c.t, err)
	var answer struct {
		ID            int
		Result, Error json.RawMessage
	}
	_, err = c.conn.Write(append(request, '\n'))
	if err == nil {
		err = c.answers.Decode(&answer)
	}
	switch {
	case err != nil:
		c.t.Fatalf("sharkd does not answer %s: %v\n%s", request, err, lastLines(c.log))
	case answer.Error != nil || answer.ID != c.asked:
		c.t.Fatalf("sharkd answers %s with %d: %s", request, answer.ID, answer.Error)
	}
	return answer.Result
}

// lastLines are those of a log, which all sessions of a daemon write.
func lastLines(log string) []byte {
	b, err := os.ReadFile(log)
	if err != nil {
		return []byte(err.Error())
	}
	lines := bytes.SplitAfter(b, []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-20):], nil)
}
