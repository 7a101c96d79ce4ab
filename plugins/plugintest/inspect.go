package plugintest

import (
	"fmt"

	"canopy/plugins"
)

func inspectChecks() []check {
	return []check{{name: "inspect/changes nothing", run: inspectChangesNothing}}
}

// inspectChangesNothing has the endpoint looked over, where that is possible,
// and demands that the storage is as it was.
func inspectChangesNothing(b *bench) error {
	if b.able.Inspector == nil {
		return nil
	}
	b.seed(Node{Path: "file", Content: "0123456789"})
	before, err := b.e.Stat(b.ctx, b.at("file"))
	if err != nil {
		return err
	}
	for _, name := range []string{"file", "absent", "absent/below"} {
		first, err := b.able.Inspector.Inspect(b.ctx, b.at(name))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !first.Timed && first.Skew != 0 {
			return fmt.Errorf("%s: a clock that was not seen is %v ahead", name, first.Skew)
		}
		again, err := b.able.Inspector.Inspect(b.ctx, b.at(name))
		if err != nil || again.Writable != first.Writable || again.Timed != first.Timed {
			return fmt.Errorf("%s: %+v, then %+v, %w", name, first, again, err)
		}
	}
	after, err := b.e.Stat(b.ctx, b.at("file"))
	if err != nil || after.Size != before.Size || after.ETag != before.ETag || !after.ModTime.Equal(before.ModTime) {
		return fmt.Errorf("the file was %+v, then %+v, %w", before, after, err)
	}
	_, err = b.e.Stat(b.ctx, b.at("absent"))
	return b.fails("what was not there", err, plugins.NotFound)
}
