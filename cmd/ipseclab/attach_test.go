package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ipseclab/ipseclab/internal/needs"
)

// TestAttach runs testdata/attach/*.txtar: outside programs on segments, in network and mount
// namespaces of their own, so that nothing of the machine is touched.
func TestAttach(t *testing.T) {
	needs.Tool(t, "namespace")
	needs.Tool(t, "ip")
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/attach",
		UpdateScripts:       *update,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "interrupted": interrupted},
		RequireExplicitExec: true,
	})
}

// echo is the command "echo-request ADDRESS": it sends ICMP echo requests (RFC 792) until one is
// answered, and ends with 1 after two seconds without an answer.
func echo() {
	to, err := net.ResolveIPAddr("ip4", os.Args[1])
	if err != nil {
		fatal(err)
	}
	c, err := net.ListenPacket("ip4:icmp", "")
	if err != nil {
		fatal(err)
	}
	defer c.Close()
	request := make([]byte, 64)
	request[0] = 8
	binary.BigEndian.PutUint16(request[2:], 0xf7ff) // the checksum: all else is 0
	for over := time.Now().Add(2 * time.Second); time.Now().Before(over); {
		if _, err := c.WriteTo(request, to); err != nil {
			fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond)) // a read that never ends fails the test, too
		answer := make([]byte, 1500)
		n, from, err := c.ReadFrom(answer)
		if err == nil && n >= 8 && answer[0] == 0 && from.String() == to.String() {
			fmt.Printf("%s answers\n", from)
			return
		}
	}
	fmt.Printf("%s does not answer\n", to)
	os.Exit(1)
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(9)
}
