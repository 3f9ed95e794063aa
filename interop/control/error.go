package control

import (
	"errors"
	"fmt"
)

// Error is why the agent did not carry a request out.
type Error struct {
	Kind string // BadRequest, Unsupported or Failed
	Text string
}

func (e *Error) Error() string { return e.Text }

// Is makes errors.Is(err, ErrUnsupported) tell what the peer cannot do.
func (e *Error) Is(target error) bool { return target == ErrUnsupported && e.Kind == Unsupported }

// ErrUnsupported is what an Error of kind Unsupported is.
var ErrUnsupported = errors.New("control: unsupported")

// Errorf makes an Error of a kind.
func Errorf(kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

// failure puts an error into an answer; one that says no kind is of kind Failed.
func failure(err error) *Answer {
	a := &Answer{Error: err.Error(), Kind: Failed}
	if e, ok := errors.AsType[*Error](err); ok {
		a.Kind = e.Kind
	}
	return a
}
