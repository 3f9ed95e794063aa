package interop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// listener waits for the connections of a machine to a Unix socket of the lab.
type listener struct {
	socket *net.UnixListener
	path   string
}

// listen makes the socket. network is "unix" for a stream of bytes, "unixpacket" for frames. Who
// can enter the socket's folder may connect.
func listen(network, path string) (*listener, error) {
	l, err := net.ListenUnix(network, &net.UnixAddr{Name: path, Net: network})
	if err != nil {
		return nil, fmt.Errorf("interop: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		l.Close()
		return nil, fmt.Errorf("interop: %w", err)
	}
	return &listener{l, path}, nil
}

// accept waits for a connection, until ctx ends or the machine does.
func (l *listener) accept(ctx context.Context, ended <-chan struct{}) (*net.UnixConn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { l.socket.SetDeadline(time.Unix(1, 0)) })()
	go func() {
		select {
		case <-ended:
			cancel(errMachineEnded)
		case <-ctx.Done():
		}
	}()
	conn, err := l.socket.AcceptUnix()
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("interop: nothing has connected to %s: %w", l.path, err)
	}
	return conn, nil
}

// close removes the socket.
func (l *listener) close() { l.socket.Close() }

// errMachineEnded is the cause when a peer's machine has gone away by itself.
var errMachineEnded = errors.New("the machine has ended")
