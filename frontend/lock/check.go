package lock

import (
	"context"
	"errors"
	"slices"
	"time"

	"canopy/frontend/lock/condition"
)

// Touch is something that a request is about to change.
type Touch struct {
	// Path is the resource whose content or properties change.
	Path string
	// Tree is whether all below it does too: it is deleted, moved, replaced.
	Tree bool
	// Member is whether the collection changes that it is in: it comes into
	// being, or ceases to be.
	Member bool
}

// Check is what a request must pass before it changes anything.
type Check struct {
	// If is the request's header, nil if it has none.
	If *condition.If
	// ETag is as in condition.State. It may be nil if If is.
	ETag func(path string) (string, error)
	// Who sent the request.
	Who string
	// Touches are what it is about to change, none if it only reads.
	Touches []Touch
}

// ErrCondition is that the If header does not hold. The answer is 412.
var ErrCondition = errors.New("no list of the If header holds")

// Check looks once at all locks that concern the request. It returns
// ErrCondition if the If header does not hold, and then a *LockedError if the
// request lacks a token. Kind Locked stands for more locks below than can be
// looked at, and the error of c.ETag is returned as it is.
func (t *Table) Check(ctx context.Context, now time.Time, c Check) error {
	locks, err := t.find(ctx, now, c.query())
	if err != nil {
		return err
	}
	holds, err := c.If.Holds(condition.State{Locked: locks.Locked, ETag: c.ETag})
	if err != nil {
		return err
	}
	if !holds {
		return ErrCondition
	}
	if roots := locks.Blocking(c.If.Submitted(), c.Who, c.Touches...); len(roots) > 0 {
		return &LockedError{Roots: roots}
	}
	return nil
}

func (c *Check) query() Query {
	q := Query{On: c.If.Paths()}
	on := func(path string) {
		if !slices.Contains(q.On, path) {
			q.On = append(q.On, path)
		}
	}
	for _, touch := range c.Touches {
		on(touch.Path)
		if up, ok := parent(touch.Path); ok && touch.Member {
			on(up)
		}
		if touch.Tree {
			q.Below = append(q.Below, touch.Path)
		}
	}
	return q
}
