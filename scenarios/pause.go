package scenarios

import (
	"context"
	"time"
)

// runTo has the world run to a time, all events of that time included, or with 0 to
// the end of the run, a second after the last step. After the last step the world goes on.
func (l *lab) runTo(ctx context.Context, at time.Duration) error {
	if l.real() {
		return Unsupportedf("%s", unrepeated(l.spec))
	}
	_, over := l.direct()
	if at > 0 {
		return l.world.Run(ctx, at, nil)
	}
	err := l.world.Run(ctx, longest, over)
	if err == nil && !over() {
		err = errEndless
	}
	return err
}
