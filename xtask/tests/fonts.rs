//! A gate that finds nothing would pass as well if it looked in the wrong place.

use xtask::fonts::in_tree;
use xtask::project::Project;

#[test]
fn a_crate_that_is_there_is_found() {
    let project = Project::locate().unwrap();
    for there in ["plotters-backend", "matrixmultiply", "proptest"] {
        let line = in_tree(&project, there).unwrap();
        assert!(line.is_some(), "{there} is not found");
    }
    assert_eq!(
        in_tree(&project, "plotters-b").unwrap(),
        None,
        "a part of a name is no name"
    );
}
