//! A file that changed after it was read.

use comboi_test::{contents, memory};

use crate::shop::{ORDERS, Shop, rows};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_rows_and_its_bad_rows_take_the_place_of_the_earlier_ones() {
    let (shop, store) = (Shop::by_file(2), memory());
    shop.run(&store).await;
    // Of another size: every file of the shop is as old as every other.
    shop.write(
        "in/day2.csv",
        "id,day,amount\n3,2024-05-02,5.25\n4,2024-05-02,1.00\n5,2024-05-02,three\n",
    );
    shop.run(&store).await;
    assert_eq!(
        rows(&store, ORDERS).await,
        [
            "1,2024-05-01,10.00,day1.csv",
            "2,2024-05-01,20.50,day1.csv",
            "3,2024-05-02,5.25,day2.csv",
            "4,2024-05-02,1.00,day2.csv"
        ]
    );
    assert_eq!(
        rows(&store, "bronze/shop/orders__quarantine").await,
        [
            "day1.csv,4,52,id,`id` is not a BIGINT,x,2024-05-01,1.00",
            "day2.csv,4,50,amount,`amount` is not a DECIMAL(12,2),5,2024-05-02,three"
        ]
    );
    // Who follows the table has to take notice.
    let log = "bronze/shop/orders/_delta_log/00000000000000000001.json";
    let entry = String::from_utf8(contents(store.as_ref()).await[log].to_vec()).unwrap();
    assert!(entry.contains("\"dataChange\":true"), "{entry}");
    assert!(!entry.contains("\"dataChange\":false"), "{entry}");
}
