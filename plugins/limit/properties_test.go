package limit

import (
	"context"
	"encoding/xml"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"canopy/plugins"
)

func (s *slow) Properties(ctx context.Context, _ string, names []xml.Name) ([]plugins.Property, error) {
	return []plugins.Property{{Name: names[0], Value: "v"}}, s.wait(ctx, s.think)
}

func (s *slow) SetProperties(ctx context.Context, _ string, _ []plugins.Property, _ []xml.Name) error {
	return s.wait(ctx, s.think)
}

// TestProperties: questions about properties take a slot and have the timeout,
// and what they answer is passed on.
func TestProperties(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name := xml.Name{Local: "a"}
		e := New(&slow{think: time.Second}, Config{Requests: 1, Timeout: 3 * time.Second})
		time.AfterFunc(time.Second/2, func() { wantLoad(t, e, Load{InFlight: 1}) })
		time.AfterFunc(3*time.Second/2, func() { wantLoad(t, e, Load{InFlight: 1}) })
		can := e.Abilities().Keeper
		found, err := can.Properties(t.Context(), "/f", []xml.Name{name})
		if err != nil || len(found) != 1 || found[0] != (plugins.Property{Name: name, Value: "v"}) {
			t.Errorf("%v, %v", found, err)
		}
		if err := can.SetProperties(t.Context(), "/f", found, nil); err != nil {
			t.Error(err)
		}
		can = New(&slow{think: time.Hour}, Config{Timeout: time.Second}).Abilities().Keeper
		_, err = can.Properties(t.Context(), "/f", []xml.Name{name})
		wantError(t, err, plugins.Timeout, "properties", "/f")
		wantError(t, can.SetProperties(t.Context(), "/f", nil, nil), plugins.Timeout, "proppatch", "/f")
		can = New(&slow{err: errors.New("broken")}, Config{}).Abilities().Keeper
		wantError(t, can.SetProperties(t.Context(), "/f", nil, nil), plugins.Unavailable, "proppatch", "/f")
	})
}
